"""
The port every process speaks to the others through.

Topics: `conductor`, `scheduler`, `agent.<host>`; and `share.<id>` of a network or security group, which the hosts that have it
follow. Delivery is at least once and unordered; the database journal is the truth and a message only a wake-up, so a lost or
doubled one changes nothing but the time it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from kilonova.rpc.messages import Message

Handler = Callable[[Message], Message | None]

Gate = Callable[[str, Message], bool]
"""
May this sender say this? Asked with the bus user that the broker vouches for ("" when it vouches for none) before a handler sees
the message; False refuses it, and it goes to the dead letters. One that raises has the message come again.
"""

Share = Callable[[str, int], bool]
"""
May this sender have a message of so many bytes looked at now? Asked of every message, with the bus user that the broker vouches
for, before it is read. What it refuses is dropped, and no dead letter: it is too much.
"""


class NoAnswer(Exception):
    """A call was not answered in time, or nobody serves its topic. What became of it is unknown."""


class Bus(Protocol):
    """Casts are durable wake-ups, calls are questions with an answer, fan-outs reach everybody on a topic."""

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        """Handle a topic's messages in `workers` threads, until the returned function is called."""

    def cast(self, topic: str, message: Message) -> None:
        """Send and forget. Never blocks on the receiver."""

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        """Ask and wait. Raises NoAnswer after `timeout_s` seconds, or at once when nobody serves the topic."""

    def fanout(self, topic: str, message: Message) -> None:
        """Send to every process that serves the topic."""

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        """
        Have who serves `topic` in this process hear what is fanned out to these subjects too, and to no others.

        A subject is a topic that nobody serves. What is fanned out before this takes effect is not heard.
        """

    def close(self) -> None:
        """Finish the handlers in work, send what waits to be sent, and end. Whoever served must not be called any more."""
