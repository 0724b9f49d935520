"""
The names that processes meet by, and what a host's account may do with them.

One topic exchange carries everything. Its routing keys say what a message is and to whom: `cast:conductor`, `call:scheduler`,
`fanout:scheduler`, `reply:<address>`, `dead`. Queues of topics are named like the key they are bound to, queues of one process
carry its address, which is `<user>:<random>`. A colon parts them because no host's name has one: a pattern for host `a` can
never match `agent.a.b`.

That it is one exchange, and of the type *topic*, is for the sake of permissions: RabbitMQ checks routing keys of topic exchanges
against an account, for publishing and for binding. So a host's account can speak to the conductor and answer calls, and can
neither command another host nor bind a queue of its own to what is said to one.

What networks and security groups turn into is fanned out to `share.<id>`, and any host may bind to one of these that it can
name, but not to a pattern of them. An id is random and is told to the hosts that have a part in it: it is the key.

What the broker itself gives up on goes through `kilonova.dead`, which looks at why: a message that came to its term unread is
what its sender wanted, and no dead letter.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kombu.entity import Exchange, Queue
from kombu.exceptions import ChannelError

EXCHANGE = "kilonova"
GRAVE = "kilonova.dead"
DEAD_LETTERS = "kilonova.dead-letters"
DEAD_KEY = "dead"
_DEAD_LETTERS_MOST = 100_000
_UNCOUNTED = 1_000_000  # RabbitMQ 4 counts deliveries where nobody asked it to, and drops at 20: looking must not lose
POISON = 20  # deliveries after which the broker gives a message up, handled or not: it ends the processes that take it
_CALLS_OUTLIVE_MS = 60_000

_UUID = "[0-9a-f-]{36}"

_EXCHANGE = Exchange(EXCHANGE, "topic", durable=True)
_GRAVE = Exchange(GRAVE, "headers", durable=True)
_MET = Exchange(EXCHANGE, "topic", no_declare=True)


def cast_key(topic: str) -> str:
    """Where casts to a topic go; its queue's name too."""
    return f"cast:{topic}"


def call_key(topic: str) -> str:
    """Where calls to a topic go; its queue's name too."""
    return f"call:{topic}"


def fanout_key(topic: str) -> str:
    """Where fan-outs to a topic go."""
    return f"fanout:{topic}"


def reply_key(address: str) -> str:
    """Where answers to a process go; its queue's name too."""
    return f"reply:{address}"


def cast_queue(topic: str) -> Queue:
    """Replicated, on disk, there whether or not anybody serves the topic."""
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": POISON, "x-dead-letter-exchange": GRAVE}
    key = cast_key(topic)
    return Queue(key, _MET, routing_key=key, durable=True, queue_arguments=arguments)


def call_queue(topic: str) -> Queue:
    """There while somebody serves the topic, so that a call to nobody comes back at once."""
    key = call_key(topic)
    arguments = {"x-expires": _CALLS_OUTLIVE_MS}
    return Queue(key, _MET, routing_key=key, durable=True, auto_delete=True, queue_arguments=arguments)


def fanout_queue(topic: str, address: str) -> Queue:
    """One process's own, gone with its connection."""
    name = f"fanout:{address}"
    return Queue(name, _MET, routing_key=fanout_key(topic), durable=False, auto_delete=True, exclusive=True)


def reply_queue(address: str) -> Queue:
    """One process's own, gone with its connection."""
    key = reply_key(address)
    return Queue(key, _MET, routing_key=key, durable=False, auto_delete=True, exclusive=True)


def ensure_exchange(connection: Any) -> None:
    """
    Make the exchange and the dead letters, unless they are there.

    Looking needs no permission, so a host's account passes where the control plane was before; else the broker refuses it, and it
    tries again. The exchange is made last: who sees it sees all.
    """
    try:
        with connection.channel() as channel:
            _EXCHANGE(channel).declare(passive=True)
    except ChannelError:
        with connection.channel() as channel:
            _GRAVE(channel).declare()
            limits = {"x-queue-type": "quorum", "x-max-length": _DEAD_LETTERS_MOST, "x-delivery-limit": _UNCOUNTED}
            queue = Queue(DEAD_LETTERS, durable=True, queue_arguments=limits)(channel)
            queue.declare()
            for reason in ("delivery_limit", "rejected", "maxlen"):
                queue.bind_to(GRAVE, arguments={"x-match": "all-with-x", "x-first-death-reason": reason})
            _EXCHANGE(channel).declare()
            queue.bind_to(EXCHANGE, routing_key=DEAD_KEY)


class Permissions(NamedTuple):
    """RabbitMQ's patterns: on names of queues and exchanges, and on routing keys of the exchange."""

    configure: str
    write: str
    read: str
    topic_write: str
    topic_read: str


def host_permissions(host: str) -> Permissions:
    """What the account `host.<host>` needs, and no more: its topic `agent.<host>`, and to speak to the conductor."""
    name = re.escape(host)
    own = rf"(cast|call):agent\.{name}|(fanout|reply):host\.{name}:[0-9a-f]+"
    return Permissions(
        configure=f"^({own})$",
        write=rf"^({own}|kilonova|kilonova\.dead)$",
        read=f"^({own}|kilonova)$",
        topic_write=rf"^((cast|call):conductor|cast:agent\.{name}|reply:.+|{DEAD_KEY})$",
        topic_read=rf"^((cast|call|fanout):agent\.{name}|fanout:share\.{_UUID}|reply:host\.{name}:[0-9a-f]+)$",
    )
