"""
Fault points: places where a test ends the process, has a host fail, or loses messages, in a cloud that is otherwise the real one.

The environment alone can ask for them, and a process that runs with one says so in its log. `KILONOVA_FAULT` is a list of
them, parted by commas:

    kill:journal:boot:3:after   at line 3 of the journal of a boot saga, `before` or `after` its commit
    kill:cast:EnsureServer      as a message of this type is handed to the bus, before anybody has it
    kill:stage:disks            as a host comes to this stage of making a machine
    fail:spawn                  every machine that a host makes is reported as one it could not make
    messages:SEED:0.05:/FILE    one message in twenty is dropped, doubled, or delayed by up to a second, as long as /FILE is there

What befalls the messages of a process follows from the seed alone, message by message; each is a line of the log. One that is
delayed is overtaken by those behind it. Calls are left alone: whoever asks knows that no answer came.

`kill` is SIGKILL, at the first time that the process comes by; `+0.2` at its end lets that many seconds pass before. What is
between two such points is one transaction or one pass of an agent, so that killing at all of them is killing everywhere.
"""

from __future__ import annotations

import os
import random
import re
import signal
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec
import structlog

from kilonova.domain.clock import Clock, SystemClock
from kilonova.domain.errors import Rejected
from kilonova.domain.report import HostFault, Outcome
from kilonova.domain.saga import JournalEvent, Saga
from kilonova.rpc.bus import Bus, Handler
from kilonova.rpc.messages import Message, Progress, Report

VARIABLE = "KILONOVA_FAULT"
_POINT = re.compile(
    r"(?:(fail):(spawn)|(kill):(journal:\w+:\d+:(?:before|after)|cast:\w+|stage:\w+)(?:\+(\d+\.?\d*))?)"
)
_MESSAGES = re.compile(r"messages:([\w.-]+):(0?\.\d+|1):(/[^,]+)")
_DELAY_S = 1.0
_FAILURE = Outcome(fault=HostFault(message="A fault point failed the machine.", elsewhere=False))
_log = structlog.get_logger(__name__)


class Faults:
    """The fault points of one process, from its environment. Raises Rejected."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        text = environment.get(VARIABLE, "")
        self._kill_at: dict[str, float] = {}  # point -> seconds to let pass
        self._fails_spawn = False
        self._is_dying = False
        self._messages: MessageFaults | None = None
        for word in text.split(",") if text else ():
            found = _POINT.fullmatch(word)
            if messages := _MESSAGES.fullmatch(word):
                self._messages = MessageFaults(messages[1], float(messages[2]), Path(messages[3]), SystemClock())
                continue
            if found is None:
                raise Rejected(f"{VARIABLE} has no fault point {word!r}.", next_step=f"unset {VARIABLE}")
            if found[1]:
                self._fails_spawn = True
            else:
                self._kill_at[found[4]] = float(found[5] or 0)
        if text:
            _log.warning("FAULT POINTS ARE ARMED: this process is a test's, and will harm itself", points=text)

    def on_journal(self, saga: Saga, event: JournalEvent, when: str) -> None:
        """A line of a journal is about to be committed, or has been."""
        self._come_by(f"journal:{saga.kind}:{event.seq}:{when}")

    def bus(self, bus: Bus) -> Bus:
        """The bus, watched if there is anything to watch for."""
        if self._messages is not None:
            bus = _FaultyBus(bus, self._messages)
        return _WatchedBus(bus, self) if self._kill_at or self._fails_spawn else bus

    def handed_over(self, message: Message) -> Message:
        """A message goes to the bus; what goes there in its place."""
        self._come_by(f"cast:{type(message).__name__}")
        if isinstance(message, Progress):
            self._come_by(f"stage:{message.stage}")
        if self._fails_spawn and isinstance(message, Report) and message.command_id.endswith("/spawn/do"):
            return msgspec.structs.replace(message, outcome=_FAILURE)
        return message

    def _come_by(self, point: str) -> None:
        if point not in self._kill_at or self._is_dying:
            return
        delay_s = self._kill_at[point]
        _log.warning("fault point reached", point=point, delay_s=delay_s)
        if not delay_s:
            os.kill(os.getpid(), signal.SIGKILL)
        self._is_dying = True
        timer = threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGKILL))
        timer.daemon = True
        timer.start()


class _WatchedBus:
    """A bus that tells of every cast."""

    def __init__(self, bus: Bus, faults: Faults) -> None:
        self._bus, self._faults = bus, faults
        self.call, self.fanout, self.follow, self.close = bus.call, bus.fanout, bus.follow, bus.close

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        return self._bus.serve(topic, handler, workers=workers)

    def cast(self, topic: str, message: Message) -> None:
        self._bus.cast(topic, self._faults.handed_over(message))


class MessageFaults:
    """Drops, doubles or delays one message in `1 / rate`, while there is a file `armed`."""

    def __init__(self, seed: str, rate: float, armed: Path, clock: Clock) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - to be replayed, not to be secret
        self._rate, self._armed, self._clock = rate, armed, clock
        self._lock = threading.Lock()

    def send(self, deliver: Callable[[str, Message], None], topic: str, message: Message) -> None:
        """Deliver it: once, twice, later or not at all."""
        with self._lock:
            is_hit = self._chance.random() < self._rate
            fault, delay_s = self._chance.choice(("drop", "double", "delay")), self._chance.uniform(0.0, _DELAY_S)
        if not is_hit or not self._armed.exists():
            deliver(topic, message)
            return
        _log.warning(
            "message fault", fault=fault, message=type(message).__name__, topic=topic, delay_s=round(delay_s, 3)
        )
        if fault == "double":
            deliver(topic, message)
        if fault != "drop":
            self._clock.call_later(delay_s, partial(deliver, topic, message))


class _FaultyBus:
    """A bus whose casts and fan-outs meet message faults."""

    def __init__(self, bus: Bus, faults: MessageFaults) -> None:
        self._bus, self._faults = bus, faults
        self.call, self.follow, self.close = bus.call, bus.follow, bus.close

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        return self._bus.serve(topic, handler, workers=workers)

    def cast(self, topic: str, message: Message) -> None:
        self._faults.send(self._bus.cast, topic, message)

    def fanout(self, topic: str, message: Message) -> None:
        self._faults.send(self._bus.fanout, topic, message)
