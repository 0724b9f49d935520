"""
The names that processes meet by, and what a host's account may do with them.

A topic exchange carries what the control plane says. Its routing keys say what a message is and to whom: `cast:conductor`,
`call:scheduler`, `fanout:scheduler`, `reply:<address>`. Queues of topics are named like the key they are bound to, queues of one
process carry its address, which is `<user>:<random>`. A colon parts them because no host's name has one: a pattern for host `a`
can never match `agent.a.b`.

What hosts say goes to a second exchange, to which nothing is bound but what may hear hosts: the conductor's queues, and answers
to processes of the control plane. Keys alone would not do. Whoever may write to an exchange may also make it the dead-letter
exchange of a queue of its own, with any key, and what the broker moves there is checked against no pattern: so a host would
command another, through the broker's hand. Of the exchange that carries commands a host may only bind its queues, to keys of its
own.

That both are of the type *topic* is for the sake of permissions: RabbitMQ checks routing keys of topic exchanges against an
account, for publishing and for binding.

What networks and security groups turn into is fanned out to `share.<id>`, and any host may bind to one of these that it can
name, but not to a pattern of them. An id is random and is told to the hosts that have a part in it: it is the key.

Dead letters come through `kilonova.dead`: what a process of the control plane buries, and what the broker gives up on or a host
refuses, which it looks at for why: a message that came to its term unread is what its sender wanted, and no dead letter. A host
may not write there. So it cannot make a queue that dead-letters there either, and the control plane makes each host's for it.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kombu.entity import Exchange, Queue
from kombu.exceptions import ChannelError

from kilonova.domain.host_access import host_of

EXCHANGE = "kilonova"
DEAD_EXCHANGE = "kilonova.dead"
DEAD_LETTERS = "kilonova.dead-letters"
FROM_HOSTS = "kilonova.from-hosts"
HEARS_HOSTS = "conductor"  # the topic that hosts may speak to
DEAD_LETTERED = "buried"  # a header of what a process of the control plane made a dead letter
_EARLIER_DEAD_KEY = "dead"  # what earlier releases dead-lettered with, through the exchange that hosts wrote to
_DEAD_LETTERS_MOST = 100_000
_UNCOUNTED = 1_000_000  # RabbitMQ 4 counts deliveries where nobody asked it to, and drops at 20: looking must not lose
POISON = 20  # deliveries after which the broker gives a message up, handled or not: it ends the processes that take it
_CALLS_OUTLIVE_MS = 60_000

_UUID = "[0-9a-f-]{36}"
_NOTHING = "^$"
_NOT_FOUND = 404

_EXCHANGE = Exchange(EXCHANGE, "topic", durable=True)
_GRAVE = Exchange(DEAD_EXCHANGE, "headers", durable=True)
_FROM_HOSTS = Exchange(FROM_HOSTS, "topic", durable=True)
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
    key = cast_key(topic)
    return Queue(key, _MET, routing_key=key, durable=True, queue_arguments=cast_arguments())


def cast_arguments() -> dict[str, str | int]:
    """Those of a topic's queue of casts. A queue that is there cannot be given others: bounds are policies (`bounds.py`)."""
    return {"x-queue-type": "quorum", "x-delivery-limit": POISON, "x-dead-letter-exchange": DEAD_EXCHANGE}


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


def ensure_exchanges(connection: Any, user: str) -> str:
    """
    Make exchanges and dead letters, unless they are there; the exchange that this account speaks through.

    A host makes none, and tries again until the control plane was here. One that was before its control plane's upgrade finds
    the one exchange of earlier releases, and is let speak through that. The last is made last: who sees it sees all.
    """
    if _is_there(connection, _FROM_HOSTS):
        return EXCHANGE if host_of(user) is None else FROM_HOSTS
    with connection.channel() as channel:
        if host_of(user) is not None:
            _EXCHANGE(channel).declare(passive=True)
            return EXCHANGE
        _GRAVE(channel).declare()
        _EXCHANGE(channel).declare()
        limits = {"x-queue-type": "quorum", "x-max-length": _DEAD_LETTERS_MOST, "x-delivery-limit": _UNCOUNTED}
        queue = Queue(DEAD_LETTERS, durable=True, queue_arguments=limits)(channel)
        queue.declare()
        for reason in ("delivery_limit", "rejected", "maxlen"):
            queue.bind_to(DEAD_EXCHANGE, arguments={"x-match": "all-with-x", "x-first-death-reason": reason})
        queue.bind_to(DEAD_EXCHANGE, arguments={"x-match": "all", DEAD_LETTERED: "yes"})
        channel.queue_unbind(DEAD_LETTERS, EXCHANGE, _EARLIER_DEAD_KEY)
        _FROM_HOSTS(channel).declare()
    return EXCHANGE


def _is_there(connection: Any, exchange: Exchange) -> bool:
    """Looking needs no permission."""
    try:
        with connection.channel() as channel:
            exchange(channel).declare(passive=True)
    except ChannelError as why:
        if why.code == _NOT_FOUND:
            return False
        raise
    return True


class Permissions(NamedTuple):
    """RabbitMQ's patterns: on names of queues and exchanges; on keys to write to FROM_HOSTS, and to bind to EXCHANGE."""

    configure: str
    write: str
    read: str
    topic_write: str
    topic_read: str

    def on_names(self) -> dict[str, str]:
        """As RabbitMQ's management API has them."""
        return {"configure": self.configure, "write": self.write, "read": self.read}

    def on_keys(self) -> list[dict[str, str]]:
        """The same of topic permissions, one for each exchange."""
        return [
            {"exchange": EXCHANGE, "write": _NOTHING, "read": self.topic_read},
            {"exchange": FROM_HOSTS, "write": self.topic_write, "read": _NOTHING},
        ]


def host_permissions(host: str) -> Permissions:
    """What the account `host.<host>` needs, and no more: its topic `agent.<host>`, and to speak to the conductor."""
    name = re.escape(host)
    own = rf"(cast|call):agent\.{name}|(fanout|reply):host\.{name}:[0-9a-f]+"
    return Permissions(
        configure=f"^({own})$",
        write=rf"^({own}|{re.escape(FROM_HOSTS)})$",
        read=f"^({own}|{EXCHANGE})$",
        topic_write=rf"^((cast|call):{HEARS_HOSTS}|reply:.+)$",
        topic_read=rf"^((cast|call|fanout):agent\.{name}|fanout:share\.{_UUID}|reply:host\.{name}:[0-9a-f]+)$",
    )
