"""
The bus of a world: a transport that all share, and each life's view of it.

A cast is an event that happens some time later, at one of those who serve its topic then; it may be lost, come twice, or come
after messages that were sent after it. When nobody can be reached it waits (as in a durable queue) or is gone (as in a process),
which is the world's choice. In a durable queue a message whose handler was killed, or raised, comes again, as an unacknowledged
one does. A call happens at once, in the caller's own event: asked in vain it costs the caller its patience. A cast never raises:
that is the port's word, and the transports keep an outbox for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from kilonova.rpc.bus import Handler, NoAnswer
from kilonova.rpc.commands import Command
from kilonova.rpc.messages import Message, Report, SagaReady
from tests.dst.chance import Odds
from tests.dst.events import DECLARED, Events, Killed, Life

_TRIES = 3  # of a message that was not acknowledged
_NEVER_AGAIN = -1  # calls and what all are told: nobody sends them twice
_LATE_S = 30.0


class Server(NamedTuple):
    """Somebody who serves a topic."""

    life: Life
    handler: Handler


class Transport:
    """What carries messages between lives. `cut` are the names of processes that cannot be reached."""

    def __init__(self, events: Events, *, durable: bool) -> None:
        self.events, self.chance = events, events.chance
        self.odds = Odds.none()
        self.durable = durable
        self.cut: set[str] = set()
        self.under_way = 0
        self._servers: dict[str, list[Server]] = {}
        self._followers: dict[str, list[Server]] = {}
        self._waiting: dict[str, list[Message]] = {}

    def serve(self, topic: str, server: Server) -> Callable[[], None]:
        self._servers[topic] = [one for one in self._servers.get(topic, []) if not one.life.is_over] + [server]
        self.flush(topic)
        return lambda: self._servers[topic].remove(server)

    def flush(self, topic: str) -> None:
        """Somebody serves this topic again."""
        for message in self._waiting.pop(topic, []):
            self._send(topic, message, 0)

    def cast(self, sender: Life, topic: str, message: Message) -> None:
        if sender.name in self.cut or self.chance.happens(self.odds.lose, "lost"):
            return
        self._send(topic, message, 0)
        if self.chance.happens(self.odds.double, "doubled"):
            self._send(topic, message, 0)

    def call(self, sender: Life, topic: str, message: Message, timeout_s: float) -> Message:
        found = self._reachable(topic)
        if sender.name in self.cut or not found or self.chance.happens(self.odds.lose, "lost"):
            self.events.pause(sender, timeout_s)
            raise NoAnswer(f"nobody answers on {topic}")
        if self.chance.happens(self.odds.double, "doubled"):
            self._send(topic, message, _TRIES)
        answer = self._handle(self.chance.pick(found), topic, message, _NEVER_AGAIN)
        sender.check()
        if answer is None or self.chance.happens(self.odds.lose, "lost"):
            raise NoAnswer(f"no answer from {topic}")
        return answer

    def fanout(self, sender: Life, topic: str, message: Message) -> None:
        for server in self._reachable(topic, self._followers.get(topic, ())):
            if sender.name not in self.cut and not self.chance.happens(self.odds.lose, "lost"):
                self.events.after(
                    self._latency_s(), server.life, f"{topic} hears {name_of(message)}",
                    lambda server=server: self._handle(server, topic, message, _NEVER_AGAIN),  # type: ignore[misc]
                )  # fmt: skip

    def follow(self, life: Life, topic: str, subjects: Collection[str]) -> None:
        server = next(one for one in self._servers[topic] if one.life is life)
        for followers in self._followers.values():
            followers[:] = [one for one in followers if one.life is not life and not one.life.is_over]
        for subject in subjects:
            self._followers.setdefault(subject, []).append(server)

    def _send(self, topic: str, message: Message, tries: int) -> None:
        self.under_way += 1
        name = f"{topic} gets {name_of(message)}"
        self.events.after(self._latency_s(), None, name, lambda: self._arrive(topic, message, tries))

    def _latency_s(self) -> float:
        if self.chance.happens(self.odds.delay, "delayed"):
            return self.chance.between(0.1, _LATE_S)
        return self.chance.between(0.0005, 0.02)

    def _arrive(self, topic: str, message: Message, tries: int) -> None:
        self.under_way -= 1
        found = self._reachable(topic)
        if found:
            self._handle(self.chance.pick(found), topic, message, tries)
        elif self.durable:
            self._waiting.setdefault(topic, []).append(message)

    def _reachable(self, topic: str, besides: Iterable[Server] = ()) -> list[Server]:
        return [
            one for one in (*self._servers.get(topic, ()), *besides)
            if not one.life.is_over and not one.life.stands_still and one.life.name not in self.cut
        ]  # fmt: skip

    def _handle(self, server: Server, topic: str, message: Message, tries: int) -> Message | None:
        try:
            return server.handler(message)
        except Killed as killed:
            if killed.life is not server.life:
                raise
            self._again(topic, message, tries)
        except Exception as error:  # noqa: BLE001 - as a transport does: the process lives on
            self.chance.raised("not handled", name_of(message), error, DECLARED)
            self._again(topic, message, tries)
        return None

    def _again(self, topic: str, message: Message, tries: int) -> None:
        """It was not acknowledged."""
        if self.durable and 0 <= tries < _TRIES:
            self._send(topic, message, tries + 1)


class LifeBus:
    """The bus as one life sees it."""

    def __init__(self, transport: Transport, life: Life) -> None:
        self._transport, self._life = transport, life

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        return self._transport.serve(topic, Server(self._life, handler))

    def cast(self, topic: str, message: Message) -> None:
        self._life.check()
        self._transport.cast(self._life, topic, message)

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        self._life.check()
        return self._transport.call(self._life, topic, message, timeout_s)

    def fanout(self, topic: str, message: Message) -> None:
        self._life.check()
        self._transport.fanout(self._life, topic, message)

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        self._life.check()
        self._transport.follow(self._life, topic, subjects)


def name_of(message: Message) -> str:
    """A message in a few words."""
    match message:
        case Command(command_id=command_id) | Report(command_id=command_id):
            return f"{type(message).__name__} {command_id}"
        case SagaReady(saga_id=saga_id):
            return f"SagaReady {saga_id}"
    return type(message).__name__
