"""
The bus of a fleet: RabbitMQ, through kombu.

Nothing of the cloud's truth is on it. The journal in the database is the truth, and a message only a wake-up or a fact that is
written down before it counts as taken; so what the bus owes is this, and no more:

- **A cast that was handed to the bus reaches a handler at least once**, through a restart of the broker, of the receiver, and of
  the network between, so long as the sender's process lives. Never in a promised order, sometimes twice.
- **A call gets one answer or `NoAnswer`**, in bounded time, and at once when nobody serves the topic.
- **A fan-out reaches those who are connected.** Losing one costs its receivers the seconds until they next read the records.
- **Nobody waits for the broker.** `cast` and `fanout` never block; `serve` and the constructor do not need it to be there.

How a cast goes. It is put into the *outbox* (`outbox.py`) and the caller goes on. The sender's thread publishes it, durable, to
the topic's quorum queue; the broker confirms when a majority of its nodes has it on disk; only then does it leave the outbox. A
worker takes it, the gate judges its sender, the handler returns when its effect is committed, and only then is it acknowledged.
Where any of these dies in between, it comes again. A sender's process that is killed loses its outbox: that is the loss which the
pass over the records is there for, as for one between a commit and the cast after it.

Why an outbox and not a wait for the broker's confirmation: casts are made in API requests, after their commit. Their user is owed
a 202 for what is in the database; the broker's being away must not turn that into a failure, nor into a slow answer. The box is
bounded, and full it drops the oldest and says so in the log: ten thousand wake-ups older than the newest ones are the least worth
keeping, and the records know what they were about.

How a call goes. To the topic's call queue, which exists only while somebody consumes from it, and *mandatory*: with nobody there
the broker returns it, and the caller knows at once. The answer comes to a queue that is this process's own. We do not use
RabbitMQ's direct reply-to: answering through it needs the right to publish to the default exchange, and so to any queue, which no
host must have. When the connection is lost in between, the call is over: whether it was handled is unknown, as `NoAnswer` says.

Who speaks. Every message carries the `user_id` of its sender's account, which RabbitMQ checks against the connection; one without
is from nobody. The `Gate` is asked with it before a handler sees the message; what it refuses is a dead letter. A host takes what
is the control plane's, and nothing else. Beside that, accounts of hosts are bounded by the broker itself
(`names.host_permissions`).

Dead letters (`deadletters.py`, `kilonova dead-letters`). What could not be read, what the gate refused, and what a handler failed
on too often goes to one queue, with why, from whom and when, and never stops those behind it. A letter can be shown, replayed or
dropped. A replayed letter is judged as from its first sender too, so replaying cannot lift what was refused; one from nobody is
not replayed. No host may write there: what a host gives up the broker moves there, and the host's log says why.

What fails, and what heals it:

    the broker restarts or is away       the outbox holds; both links come back by themselves, within 5 s of it at most;
                                         calls say NoAnswer
    the network is cut without a word    two heartbeats (20 s), then as above; half-written data: 10 s
    a receiver dies in a handler         the broker gives the message to another at once, or keeps it for the next
    a handler fails                      again after 0.5, 1, 2, 4 and then every 8 s; after a minute a dead letter
    a message ends its process           given up by the broker after 20 deliveries; a dead letter
    a queue is full (`bounds.py`)        the broker refuses more; its sender keeps that, and the newest of what is said again and
                                         again, and tries every second (`held.py`); what is for others goes on. Calls say NoAnswer
    a host floods the conductor          what is over its share is dropped, and the host silenced (`conductor/host_shares.py`)
    the broker is short of memory, disk  nothing is sent, acknowledgements go on; the outbox holds
    most nodes of a queue are dead       its topic's processes count as not connected, casts to it wait in outboxes, until a
                                         majority is back. A broker of one node that crashes in the second after it made a queue
                                         comes back like that for good (RabbitMQ 3.10): `rabbitmqctl delete_queue`, which loses
                                         nothing, and it is made anew
    an account may not write somewhere   the message that did is found, logged and dropped; the others go on

Over TLS (`amqps://`) all of it holds as well; the URL says which certificates (`rpc/tls.py`). A certificate that is not believed
is a broker that is away.

Threads: one for the receiving connection, one for the sending one, and the workers of each topic served. Between a close and the
end, messages that were not begun are handed back, and those in work are finished.
"""

from __future__ import annotations

from kilonova.rpc.amqp.bus import AmqpBus, BusState
from kilonova.rpc.amqp.names import Permissions, host_permissions
from kilonova.rpc.amqp.pace import Pace

__all__ = ["AmqpBus", "BusState", "Pace", "Permissions", "host_permissions"]
