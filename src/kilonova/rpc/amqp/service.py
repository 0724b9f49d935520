"""
One topic served by one process: its worker threads, and what becomes of each message.

A delivery ends in one of these verdicts, given once and carried out by the receiver's thread:

    done     the handler returned, so its effect is durable; or the message is a dead letter and the broker has that
    again    the handler raised: the message comes again, after a pause that doubles
    back     it was not begun: somebody else shall have it
    dead     a host gives it up, which may not write to the dead letters: the broker puts it there, and its log says why

**Failures.** A handler fails because a database is away, or because of the message itself, and nobody can tell which. So a
message is tried `Pace.deliveries` times over a minute, which a database's failover takes no longer than, and holds its place in
the prefetch window meanwhile: when everything fails, nothing more is taken. Then it is a dead letter, with the last
error in words. The broker counts the deliveries (a quorum queue does), so restarts and other processes count too. A message that
ends the process itself never comes to be counted here: the broker gives it up, after more deliveries than this.

**Floods.** A message of who says too much is dropped before it is read (`rpc.bus.Share`).

A call is never tried again: who asked is told, and decides. A fan-out that fails is logged, for losing one changes nothing.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import structlog

from kilonova.rpc.amqp import wire
from kilonova.rpc.amqp.origin import ON_BEHALF_OF, origin, verified
from kilonova.rpc.amqp.pace import Pace
from kilonova.rpc.bus import Gate, Handler, Share
from kilonova.rpc.messages import Message

_log = structlog.get_logger(__name__)


class Kind(Enum):
    """How a message was sent."""

    CAST = "cast"
    CALL = "call"
    FANOUT = "fanout"


class Verdict(Enum):
    """See the module's text."""

    DONE = "done"
    AGAIN = "again"
    BACK = "back"
    DEAD = "dead"


@dataclass(eq=False)
class Delivery:
    """A message that the broker handed over, on the channel where it is to be settled."""

    kind: Kind
    topic: str
    raw: Any
    received_at: float

    @property
    def properties(self) -> dict[str, Any]:
        """AMQP's own."""
        found: dict[str, Any] = self.raw.properties
        return found

    @property
    def headers(self) -> dict[str, Any]:
        """The application's, and what the broker adds."""
        return self.properties.get("application_headers") or {}

    @property
    def number(self) -> int:
        """How often it has been delivered, this time included."""
        return int(self.headers.get("x-delivery-count", 0)) + 1

    @property
    def senders(self) -> list[str]:
        """The account that the broker vouches for; and whom a replayed letter was from, which can only narrow what passes."""
        claimed = self.headers.get(ON_BEHALF_OF)
        return [verified(self.properties), *([] if claimed is None else [str(claimed)])]

    @property
    def origin(self) -> str:
        """See `origin.py`."""
        return origin(self.properties)

    @property
    def is_late(self) -> bool:
        """Whether who asked has given up while it waited here."""
        expiration = self.properties.get("expiration")
        waited_ms = (time.monotonic() - self.received_at) * 1000
        return self.kind is Kind.CALL and expiration is not None and waited_ms > float(expiration)


class Desk(Protocol):
    """What a service needs of the bus. Safe to use from many threads."""

    pace: Pace
    gate: Gate | None
    share: Share | None

    def settle(self, delivery: Delivery, verdict: Verdict) -> None:
        """Give the verdict."""

    def reply(self, delivery: Delivery, answer: Message | None, why: str) -> None:
        """Answer a call; None with the reason why there is no answer."""

    def dead_letter(self, delivery: Delivery, why: str) -> None:
        """Make it a dead letter, and settle it when the broker has that."""


class Service:
    """See the module's text. `workers` 0: messages are handled in the thread that reads them from the broker."""

    def __init__(self, topic: str, handler: Handler, workers: int, desk: Desk) -> None:
        self.topic = topic
        self.prefetch = desk.pace.prefetch * max(1, workers)
        self.is_served = threading.Event()
        self.tags: list[str] = []  # of its consumers, while there is a channel
        self.fanouts = ""  # its own queue, while there is a channel
        self.follows: frozenset[str] = frozenset()  # subjects that it is to hear of
        self.followed: frozenset[str] = frozenset()  # those that its queue is bound to
        self._handler, self._desk = handler, desk
        self._queue: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._is_stopping = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{topic}-{number}", daemon=True) for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def take(self, delivery: Delivery) -> None:
        """A message has come."""
        if self._is_stopping:
            self._give_back(delivery)
        elif self._threads:
            self._queue.put(delivery)
        else:
            self._handle(delivery)

    def stop(self) -> None:
        """Finish what is in work, hand back the rest."""
        self._is_stopping = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        while not self._queue.empty():
            self._give_back(self._queue.get())

    def _work(self) -> None:
        while (delivery := self._queue.get()) is not None:
            if self._is_stopping:
                self._give_back(delivery)
            else:
                self._handle(delivery)

    def _give_back(self, delivery: Delivery | None) -> None:
        if delivery is None:
            return
        if delivery.kind is Kind.CALL:
            self._end_call(delivery, None, f"{self.topic} is being stopped")
        else:
            self._desk.settle(delivery, Verdict.BACK)

    def _handle(self, delivery: Delivery) -> None:
        if delivery.is_late:
            self._desk.settle(delivery, Verdict.DONE)
            return
        if self._desk.share is not None and not self._desk.share(delivery.senders[0], len(delivery.raw.body)):
            self._drop(delivery)
            return
        try:
            message = wire.decode(delivery.raw.body)
        except wire.Unreadable as why:
            self._refuse(delivery, f"it could not be read: {why}")
            return
        try:
            if not self._may_say(delivery.senders, message):
                self._refuse(delivery, _objection(delivery.senders))
                return
            answer = self._handler(message)
        except Exception as error:  # noqa: BLE001 - see the module's text
            _log.exception("a message could not be handled", topic=self.topic, message=type(message).__name__)
            self._failed(delivery, f"{type(error).__name__}: {error}")
            return
        if delivery.kind is Kind.CALL:
            self._end_call(delivery, answer, f"{self.topic} has no answer to {type(message).__name__}")
        else:
            self._desk.settle(delivery, Verdict.DONE)

    def _drop(self, delivery: Delivery) -> None:
        if delivery.kind is Kind.CALL:
            self._desk.reply(delivery, None, f"{self.topic} hears too much from you")
        self._desk.settle(delivery, Verdict.DONE)

    def _may_say(self, senders: list[str], message: Message) -> bool:
        gate = self._desk.gate
        return gate is None or (all(gate(sender, message) for sender in senders) and all(senders))

    def _refuse(self, delivery: Delivery, why: str) -> None:
        _log.warning("a message is refused", topic=self.topic, type=delivery.properties.get("type"), why=why)
        if delivery.kind is Kind.CALL:
            self._desk.reply(delivery, None, f"{self.topic} refused: {why}")
        self._desk.dead_letter(delivery, why)

    def _failed(self, delivery: Delivery, why: str) -> None:
        if delivery.kind is Kind.CALL:
            self._end_call(delivery, None, f"{self.topic} failed on {delivery.properties.get('type')}")
        elif delivery.kind is Kind.FANOUT:
            self._desk.settle(delivery, Verdict.DONE)
        elif delivery.number >= self._desk.pace.deliveries:
            self._desk.dead_letter(delivery, f"its handler failed {delivery.number} times, at last with {why}")
        else:
            self._desk.settle(delivery, Verdict.AGAIN)

    def _end_call(self, delivery: Delivery, answer: Message | None, why: str) -> None:
        self._desk.reply(delivery, answer, why)
        self._desk.settle(delivery, Verdict.DONE)


def _objection(senders: list[str]) -> str:
    if all(senders):
        return f"its sender may not say this: {' for '.join(senders)}"
    return "it is forged: the broker vouches for no sender"
