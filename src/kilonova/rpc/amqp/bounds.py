"""
How much may wait at the broker, in which queue, and what happens to more.

They are policies of RabbitMQ and not arguments of queues, because a queue that is there cannot be given other arguments: so they
hold for queues that an earlier release made, too, and change with a release. Where the broker is full of what nobody may lose, it
refuses more (`reject-publish`), and the sender keeps it and tries again (`held.py`). Of what is about now, the oldest goes.

One policy counts for a queue, that of the highest priority; an operator's own would have to be higher, and say all of this too.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from kilonova.rpc.amqp.names import DEAD_LETTERS

_MIB = 1 << 20
_REFUSE, _DROP_OLDEST = "reject-publish", "drop-head"


class Bound(NamedTuple):
    """For queues whose name matches `pattern`: how many messages, how many bytes of them, and what happens to more."""

    name: str
    pattern: str
    length: int
    mib: int
    overflow: str
    priority: int = 10

    def policy(self) -> dict[str, Any]:
        """As RabbitMQ's management API has it."""
        limits = {"max-length": self.length, "max-length-bytes": self.mib * _MIB, "overflow": self.overflow}
        return {"pattern": self.pattern, "definition": limits, "priority": self.priority, "apply-to": "queues"}


BOUNDS = (
    Bound("kilonova-conductor", "^cast:conductor$", 100_000, 256, _REFUSE, 11),
    Bound("kilonova-hosts", r"^cast:agent\.", 5_000, 64, _REFUSE, 11),
    Bound("kilonova-casts", "^cast:", 50_000, 128, _REFUSE),
    Bound("kilonova-calls", "^call:", 1_000, 64, _REFUSE),
    Bound("kilonova-fanouts", "^fanout:", 10_000, 64, _DROP_OLDEST),
    Bound("kilonova-replies", "^reply:", 10_000, 64, _DROP_OLDEST),
    Bound("kilonova-dead-letters", f"^{re.escape(DEAD_LETTERS)}$", 100_000, 256, _DROP_OLDEST),
)
