"""
The life of a fleet's process.

    starting ──all checks pass, all roles begin──► serving ──SIGTERM, SIGINT──► stopping ──► over

While it starts it is alive and not ready: the database may not be up yet, or its schema not made, and whoever starts the whole
fleet at once need not know an order. It looks again after pauses that grow to `LONGEST_PAUSE_S`; and so it does when what was
there a moment ago is gone as roles are made or begin (`Away`). Once it serves it outlives losing any of these: it is not ready
then, goes on trying, and is ready again by itself.

Stopping is the way back: first it is no longer ready, then its roles end, last started first, each finishing what it has under
way. What hangs is not waited for longer than `stop_s`: the process then ends as it is, which whoever shares its work survives as
it survives a crash.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Protocol

import structlog

from kilonova.daemon.health import Health, HealthServer
from kilonova.domain.errors import Away
from kilonova.watchdog import watchdog

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 5.0
_log = structlog.get_logger(__name__)


class Component(Protocol):
    """A part of a process."""

    def start(self) -> None:
        """Begin to serve. Raises Away, with nothing begun, when it cannot just now: it is asked again."""

    def stop(self) -> None:
        """Finish what is under way, and let go."""


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """
    One process. `make_roles` is called once its checks pass, and gives the roles in the order of their start; or raises Away
    with nothing made, to be called again. `close` lets go of what they stand on. `stop_s`: seconds that stopping may take.
    """

    health: Health
    health_host: str
    health_port: int
    make_roles: Callable[[], Sequence[Component]]
    close: Callable[[], None]
    stop_s: float


def live(daemon: Daemon, stopping: threading.Event | None = None) -> None:
    """Be the process, until SIGTERM or SIGINT (or until `stopping` is set). Call it from the main thread."""
    stopping = stopping or until_told()
    server = HealthServer(daemon.health, daemon.health_host, daemon.health_port)
    server.start()
    _log.info("starting", pid=os.getpid(), health=f"http://{daemon.health_host}:{server.port}/healthz/ready")
    started: list[Component] = []
    try:
        if _Start(daemon, started).is_done(stopping):
            settle()
            daemon.health.hold = ""
            _notify("READY=1")
            _log.info("ready")
            stopping.wait()
    finally:
        daemon.health.hold = "stopping"
        _notify("STOPPING=1")
        _log.info("stopping")
        with watchdog(daemon.stop_s, partial(_end_as_it_is, threading.get_ident())):
            _stop(started)
            daemon.close()
            server.stop()
        _log.info("stopped")


def settle() -> None:
    """
    Call it once, when a process has started: what it is made of stays as long as it does, and is not garbage to look for.

    Modules, tables and routes are a hundred thousand objects; looking through all of them stops every thread for 50 ms and more,
    several times a second under load.
    """
    gc.collect()
    gc.freeze()


def until_told() -> threading.Event:
    """Set by SIGTERM and SIGINT from now on, however often they come. Call it from the main thread."""
    told = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()

    signal.signal(signal.SIGTERM, tell)
    signal.signal(signal.SIGINT, tell)
    return told


class _Start:
    """The first part of a process' life. Roles that have begun, or that failed as they did, are added to `started`."""

    def __init__(self, daemon: Daemon, started: list[Component]) -> None:
        self._daemon, self._started = daemon, started
        self._roles: Sequence[Component] | None = None

    def is_done(self, stopping: threading.Event) -> bool:
        """Wait until every role serves; False when told to stop before."""
        pause_s, last = FIRST_PAUSE_S, ""
        while lacking := self._problems() or self._begin():
            self._daemon.health.hold = "starting: waiting for " + ", ".join(sorted(lacking))
            if str(lacking) != last:
                _log.warning("cannot work yet; trying again", problems=lacking)
                last = str(lacking)
            if stopping.wait(pause_s):
                return False
            pause_s = min(LONGEST_PAUSE_S, pause_s * 1.5)
        return True

    def _problems(self) -> dict[str, str]:
        """What is wrong, but for the reason that we only start."""
        return {name: problem for name, problem in self._daemon.health.problems().items() if name != "process"}

    def _begin(self) -> dict[str, str]:
        """Make the roles, and have those begin that have not; what was gone as they did."""
        try:
            if self._roles is None:
                self._roles = self._daemon.make_roles()
            for role in self._roles[len(self._started) :]:
                self._started.append(role)
                role.start()
        except Away as why:
            if self._roles is not None:
                self._started.pop()
            return {"what its parts stand on": str(why)}
        return {}


def _stop(started: list[Component]) -> None:
    for role in reversed(started):
        try:
            role.stop()
        except Exception:  # noqa: BLE001 - the others must be stopped all the same
            _log.exception("a part did not stop as it should", part=type(role).__name__)


def _end_as_it_is(stopper: int) -> None:
    """End the process, and say where the thread of this number, which stops it, hangs."""
    at = traceback.format_stack(sys._current_frames()[stopper], limit=-6)  # noqa: SLF001 - there is no other way to ask
    _log.error("it did not stop in time, and ends as it is; what it worked on is taken up as after a crash", at=at)
    os._exit(1)


def _notify(state: str) -> None:
    """Tell systemd, when it is it that started us (Type=notify)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to:
        to.sendto(state.encode(), f"\0{address[1:]}" if address.startswith("@") else address)
