"""The `Bus` over RabbitMQ: what the package's text promises, put together."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import structlog

from kilonova.rpc.amqp import wire
from kilonova.rpc.amqp.calls import Calls
from kilonova.rpc.amqp.letter import Letter
from kilonova.rpc.amqp.link import Link
from kilonova.rpc.amqp.names import DEAD_EXCHANGE, DEAD_LETTERED, call_key, cast_key, fanout_key, reply_key
from kilonova.rpc.amqp.origin import is_ours, only_ours
from kilonova.rpc.amqp.outbox import Outbox
from kilonova.rpc.amqp.pace import Pace
from kilonova.rpc.amqp.receiver import Receiver
from kilonova.rpc.amqp.sender import Sender
from kilonova.rpc.amqp.service import Delivery, Service, Verdict
from kilonova.rpc.bus import Gate, Handler, NoAnswer, Share
from kilonova.rpc.messages import Message

_log = structlog.get_logger(__name__)
_ON_DISK, _IN_MEMORY = 2, 1
_ANSWERS_OUTLIVE_S = 60.0


class BusState(NamedTuple):
    """
    How it fares: are both connections up, how many messages wait, are unconfirmed, were dropped; connections lost so far; how
    many of those that wait do so because their queue is full.
    """

    connected: bool
    waiting: int
    unconfirmed: int
    dropped: int
    reconnects: int
    held: int


class AmqpBus:
    """
    A `Bus` over RabbitMQ at `url`, amqp://user:password@host:port/vhost; more of one cluster may follow, parted by `;`.

    `gate` is asked about every message; without one, a host's bus takes what is the control plane's, and any other everything.
    `share` says whose messages are too many.

    It begins to connect at once, and never waits for the broker to be there. `workers=0` of `serve` means: in the thread that
    reads from the broker, for handlers that neither block nor call. Sizes and times are `pace`'s.
    """

    def __init__(
        self, url: str, *, gate: Gate | None = None, share: Share | None = None, pace: Pace | None = None
    ) -> None:
        self.pace = pace or Pace()
        user = unquote(urlsplit(url.partition(";")[0]).username or "guest")
        self._is_ours = is_ours(user)
        self.gate, self.share = gate or (None if self._is_ours else only_ours), share
        self._calls = Calls()
        self._outbox = Outbox(self.pace.outbox)
        self._receiver = Receiver(self._calls, user, self.pace, lambda: self._receiving.wake())  # noqa: PLW0108 - made below
        self._receiving = Link("receiver", url, self._receiver, self.pace)
        self._sending = Link("sender", url, Sender(self._outbox, self._calls, user, self.pace), self.pace)
        self._services: list[Service] = []
        self._lock = threading.Lock()
        self._receiving.start()
        self._sending.start()

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        """
        Handle a topic's messages in `workers` threads, until the returned function is called.

        Returns when the topic is served; or, with the broker away, at once: it is served as soon as the broker is there.
        """
        service = Service(topic, handler, workers, self)
        with self._lock:
            self._services.append(service)
        self._receiver.add(service)
        end = time.monotonic() + self.pace.settle_s
        while not service.is_served.wait(0.02) and not self._receiving.is_down.is_set() and time.monotonic() < end:
            pass
        return partial(self._stop, service)

    def cast(self, topic: str, message: Message) -> None:
        """Put into the outbox, from where it goes to the broker as soon as that is there. Never blocks."""
        expires_s = wire.expires_s(message)
        properties = self._properties(message, delivery_mode=_ON_DISK)
        if expires_s is not None:
            properties["expiration"] = str(int(expires_s * 1000))
        until = None if expires_s is None else time.monotonic() + expires_s
        body, subject = wire.encode(message), wire.subject(message)
        self._post(Letter(cast_key(topic), body, properties, mandatory=True, until=until, subject=subject))

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        """Ask and wait. Raises NoAnswer after `timeout_s` seconds, or at once when nobody serves the topic."""
        end = time.monotonic() + timeout_s
        address = self._wait_for_address(timeout_s)
        if address is None:
            raise NoAnswer(f"the broker is away: {topic} could not be asked")
        question = self._calls.ask()
        properties = self._properties(
            message,
            delivery_mode=_IN_MEMORY,
            correlation_id=question.number,
            reply_to=address,
            expiration=str(max(1, int((end - time.monotonic()) * 1000))),
        )
        try:
            letter = Letter(
                call_key(topic), wire.encode(message), properties, mandatory=True, until=end, is_patient=False
            )
            letter.done = lambda taken: None if taken else question.give_up(f"{topic} has too much to do")
            self._post(letter)
            return question.wait(topic, end - time.monotonic())
        finally:
            self._calls.forget(question)

    def fanout(self, topic: str, message: Message) -> None:
        """Send to every process that serves the topic now."""
        until = time.monotonic() + _ANSWERS_OUTLIVE_S
        properties = self._properties(message, delivery_mode=_IN_MEMORY)
        self._post(Letter(fanout_key(topic), wire.encode(message), properties, until=until))

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        """Have who serves `topic` in this process hear what is fanned out to these subjects too, and to no others; soon."""
        with self._lock:
            found = [service for service in self._services if service.topic == topic]
        for service in found:
            self._receiver.follow(service, subjects)

    def close(self) -> None:
        """Finish the handlers in work, hand back what was not begun, have the broker take the outbox, and end."""
        with self._lock:
            services = list(self._services)
        for service in services:
            self._stop(service)
        if not self._outbox.wait_empty(0.0 if self._sending.is_down.is_set() else self.pace.drain_s):
            _log.warning("the bus is closed and the broker does not have everything", **self.state()._asdict())
        self._receiving.stop()
        self._sending.stop()
        self._calls.give_up_all("the bus is closed")

    def state(self) -> BusState:
        """How it fares, for health checks and metrics."""
        (waiting, unconfirmed), held = self._outbox.counts(), self._outbox.held()
        connected = self._receiving.is_up.is_set() and self._sending.is_up.is_set()
        losses = self._receiving.losses + self._sending.losses
        return BusState(connected, waiting, unconfirmed, self._outbox.dropped, losses, held)

    # --- for services ---

    def settle(self, delivery: Delivery, verdict: Verdict) -> None:
        """Give the verdict on a message."""
        self._receiver.settle(delivery, verdict)

    def reply(self, delivery: Delivery, answer: Message | None, why: str) -> None:
        """Answer a call; None with the reason why there is no answer."""
        address = delivery.properties.get("reply_to")
        if not address:
            return
        properties = {"correlation_id": delivery.properties.get("correlation_id"), "delivery_mode": _IN_MEMORY}
        headers = {} if answer is not None else {"no-answer": why}
        body = b"" if answer is None else wire.encode(answer)
        until = time.monotonic() + _ANSWERS_OUTLIVE_S
        self._post(Letter(reply_key(str(address)), body, properties, headers, until=until))

    def dead_letter(self, delivery: Delivery, why: str) -> None:
        """Make it a dead letter, and settle it when the broker has that. A host leaves it to the broker, which tells no lies."""
        if not self._is_ours:
            self.settle(delivery, Verdict.DEAD)
            return
        said = delivery.properties
        headers = {
            DEAD_LETTERED: "yes",
            "why": why,
            "kind": delivery.kind.value,
            "topic": delivery.topic,
            "sender": delivery.origin,
            "died-at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        properties = {
            "message_id": said.get("message_id") or uuid.uuid4().hex,
            "type": said.get("type") or "?",
            "delivery_mode": _ON_DISK,
        }

        def dead_lettered(is_kept: bool) -> None:  # noqa: FBT001 - fills a callback's place
            self.settle(delivery, Verdict.DONE if is_kept else Verdict.BACK)

        self._post(
            Letter("", _bytes(delivery.raw.body), properties, headers, exchange=DEAD_EXCHANGE, done=dead_lettered)
        )

    def _post(self, letter: Letter) -> None:
        self._outbox.put(letter)
        self._sending.wake()

    def _stop(self, service: Service) -> None:
        with self._lock:
            if service not in self._services:
                return
            self._services.remove(service)
        gone = self._receiver.remove(service)
        if not self._receiving.is_here():
            gone.wait(self.pace.settle_s)
        service.stop()

    def _wait_for_address(self, timeout_s: float) -> str | None:
        self._receiving.is_up.wait(timeout_s)
        return self._receiver.address

    def _properties(self, message: Message, **more: Any) -> dict[str, Any]:
        return {"message_id": uuid.uuid4().hex, "type": type(message).__name__, **more}


def _bytes(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body
