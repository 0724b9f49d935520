"""
A `Driver` made of a `BlockingDriver`: a few threads carry commands out, and those about one subject in the order they came.

A subject with commands waiting has a queue, and at most one thread at work on that queue, so two commands about one server
never overlap while those about others go on. A queue that runs dry is forgotten. `done` is called once for each command: with
the outcome, with the fault the driver raised, or, when the driver broke, with a fault that tells the user nothing of the
host; what broke is in the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import structlog

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.agent.hypervisor.port import BlockingDriver, Done, OnStage
from kilonova.agent.images.space import DISK_FULL, is_full
from kilonova.domain.host import HostFacts
from kilonova.domain.hostnet import HeldNetworks, HostNetwork, ShareChange
from kilonova.domain.machine import ImageRef
from kilonova.domain.report import HostFault, Observed, Outcome
from kilonova.rpc.commands import Command, EnsureServer, RemoveServer, SetPower, UpdateGuestData

_log = structlog.get_logger(__name__)


class Pooled:
    """Runs a blocking driver's commands in at most `threads` threads."""

    workers = 2  # what its host is asked, and not told, is answered in the asker's thread

    def __init__(self, driver: BlockingDriver, *, threads: int = 8) -> None:
        self.name = driver.name
        self._driver = driver
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="host")
        self._lock = Lock()
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def submit(self, command: Command, stage: OnStage, done: Done) -> None:
        job = lambda: done(self._outcome(command, stage))  # noqa: E731 - a closure with a name reads no better
        with self._lock:
            queue = self._waiting.get(command.subject.id)
            if queue is not None:
                queue.append(job)
                return
            self._waiting[command.subject.id] = deque([job])
        self._pool.submit(self._drain, command.subject.id)

    def cache_image(self, image: ImageRef) -> None:
        self._pool.submit(self._cache, image)

    def close(self) -> None:
        """Finish the commands at work and those that wait, then let go of the hypervisor."""
        self._pool.shutdown(wait=True)
        self._driver.close()

    def purge(self) -> None:
        self._pool.shutdown(wait=True)
        self._driver.purge()

    def facts(self) -> HostFacts:
        return self._driver.facts()

    def observe(self) -> list[Observed]:
        return self._driver.observe()

    def generations(self, epoch: str) -> dict[str, int]:
        return self._driver.generations(epoch)

    def inventory(self) -> dict[str, tuple[tuple[str, str], ...]]:
        return self._driver.inventory()

    def watch(self, changed: Callable[[Observed], None]) -> None:
        self._driver.watch(changed)

    def console_output(self, server_id: str, lines: int | None) -> str:
        return self._driver.console_output(server_id, lines)

    def uptime(self) -> str:
        return self._driver.uptime()

    def set_network(self, state: HostNetwork) -> None:
        self._driver.set_network(state)

    def update_network(self, part: HostNetwork) -> None:
        self._driver.update_network(part)

    def change_network(self, change: ShareChange) -> bool:
        return self._driver.change_network(change)

    def held_networks(self) -> HeldNetworks:
        return self._driver.held_networks()

    def tend_network(self) -> None:
        self._driver.tend_network()

    def _drain(self, subject_id: str) -> None:
        """Carry out the commands about one subject until none waits."""
        while True:
            with self._lock:
                queue = self._waiting[subject_id]
                if not queue:
                    del self._waiting[subject_id]
                    return
                job = queue.popleft()
            try:
                job()
            except Exception:  # noqa: BLE001 - whoever is told broke, and the next command's answer must not be lost for it
                _log.exception("outcome not delivered", subject=subject_id)

    def _outcome(self, command: Command, stage: OnStage) -> Outcome:
        try:
            return self._carry_out(command, stage)
        except HostFailure as failure:
            return Outcome(fault=failure.fault)
        except OSError as error:
            if is_full(error):
                _log.error("the host's disk is full", subject=command.subject.id, file=error.filename)
                return Outcome(fault=DISK_FULL)
            return self._unforeseen(command)
        except Exception:  # noqa: BLE001 - a command always has an answer
            return self._unforeseen(command)

    def _unforeseen(self, command: Command) -> Outcome:
        """To be called where an exception is handled."""
        _log.exception("driver broke", subject=command.subject.id, command=type(command).__name__)
        message = "The host failed in a way nobody foresaw; its log has the details under its id."
        return Outcome(fault=HostFault(message=message, elsewhere=True))

    def _carry_out(self, command: Command, stage: OnStage) -> Outcome:
        match command:
            case EnsureServer():
                return self._driver.ensure(command, stage)
            case RemoveServer():
                return self._driver.remove(command)
            case SetPower():
                return self._driver.set_power(command)
            case UpdateGuestData():
                return self._driver.update_guest_data(command)
            case _:
                message = f"This host's driver does not know the command {type(command).__name__}."
                return Outcome(fault=HostFault(message=message, elsewhere=True))

    def _cache(self, image: ImageRef) -> None:
        try:
            self._driver.cache_image(image)
        except Exception:  # noqa: BLE001 - nobody waits for this one
            _log.exception("image not cached", image_id=image.id)
