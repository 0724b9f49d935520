"""
The agent: takes a host's commands off the bus, has the driver carry them out, and says what came of it.

Commands wait until the host has joined: the whole network state that it is given then was read before them, and would take the
ports of their servers away.

It keeps one thing of its own, the newest generation seen of each subject: a command older than that is refused, whatever the bus
did with the order. A command that is already being carried out and comes again is dropped (its report will come); one that was
carried out and comes again is carried out again, which changes nothing and reports again.

Generations are those of one epoch of the database. Something of another epoch may be of a database that was restored, or a late
word from before that: only the control plane knows. So the agent joins again, once the commands under way have ended, and is told
the epoch with the whole state; commands wait meanwhile. What is of another epoch then still is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import msgspec
import structlog

from kilonova.agent.driver import Driver
from kilonova.agent.host_network_state import only_of
from kilonova.agent.network_subscription import NetworkSubscription
from kilonova.agent.seen import Seen
from kilonova.domain.clock import Clock
from kilonova.domain.errors import KilonovaError
from kilonova.domain.report import HostFault, Observed, Outcome
from kilonova.rpc.bus import Bus, NoAnswer
from kilonova.rpc.commands import Command
from kilonova.rpc.messages import (
    CacheImage,
    ConsoleOutput,
    Failed,
    GetConsoleOutput,
    GetUptime,
    HostObserved,
    HostStarted,
    HostState,
    Inventory,
    Message,
    NetworkChanged,
    Ok,
    PowerChanged,
    Progress,
    Report,
    ShareChanged,
    TakeInventory,
    Uptime,
)

_log = structlog.get_logger(__name__)

CONDUCTOR = "conductor"
OBSERVE_EVERY_S = 60.0
_JOIN_RETRY_S = 2.0


class HostIdentity(NamedTuple):
    """A host's name, what changes when the host itself is restarted, and what its guests' secrets are sealed with."""

    name: str
    boot_id: str
    seal_key: str = ""


class Agent:
    """One host's agent. `workers` 0: it has no thread of its own, and messages are handled by whoever sends them."""

    def __init__(self, host: HostIdentity, driver: Driver, bus: Bus, clock: Clock, *, workers: int = 1) -> None:
        self.host = host.name
        self._boot_id, self._seal_key = host.boot_id, host.seal_key
        self._workers = workers
        self._topic = f"agent.{self.host}"
        self._driver = driver
        self._bus = bus
        self._clock = clock
        self._seen = Seen()
        self._joins_when_idle = False
        self._under_way: dict[str, set[str]] = {}
        self._networks = NetworkSubscription(self.host, driver.network, bus, clock)
        self._early: list[Command] | None = []  # commands that came before the host had joined; None once it has
        self._lock = threading.Lock()
        self._stop_serving: Callable[[], None] = lambda: None
        self._is_watching = False
        self._stopped = False
        self._handlers: dict[type[Message], Callable[[Any], Message | None]] = {
            GetConsoleOutput: self._console_output,
            TakeInventory: self._inventory,
            GetUptime: self._uptime,
            CacheImage: lambda asked: driver.images.cache_image(asked.image),
            NetworkChanged: self._network_changed,
            ShareChanged: self._share_changed,
        }

    @property
    def has_joined(self) -> bool:
        """Whether the control plane knows that it is there, and commands are carried out."""
        return self._early is None

    def start(self) -> None:
        """Serve the host's topic, and join the cloud (again and again until it answers)."""
        self._stop_serving = self._bus.serve(self._topic, self.handle, workers=self._workers)
        self._join()

    def stop(self) -> None:
        """Stop taking commands. Machines go on running."""
        self._stopped = True
        self._stop_serving()
        self._driver.close()

    def handle(self, message: Message) -> Message | None:
        """One message to this host."""
        if isinstance(message, Command):
            self._command(message)
            return Ok()
        handler = self._handlers.get(type(message))
        if handler is None:
            _log.warning("a message this agent does not know", message=type(message).__name__)
            return Ok()
        return handler(message) or Ok()

    def _console_output(self, asked: GetConsoleOutput) -> Message:
        consoles = self._driver.consoles
        return self._answer(lambda: ConsoleOutput(output=consoles.console_output(asked.server_id, asked.lines)))

    def _inventory(self, _asked: TakeInventory) -> Message:
        hypervisor = self._driver.hypervisor
        machines = tuple(seen.server_id for seen in hypervisor.observe())
        return self._answer(lambda: Inventory(machines=machines, things=hypervisor.inventory()))

    def _uptime(self, _asked: GetUptime) -> Message:
        return self._answer(lambda: Uptime(text=self._driver.hypervisor.uptime()))

    def _network_changed(self, changed: NetworkChanged) -> None:
        if not self._networks.update(changed.part, changed.epoch):
            self._join_if_new(changed.epoch)

    def _share_changed(self, changed: ShareChanged) -> None:
        if not self._networks.change(changed.change, changed.epoch):
            self._join_if_new(changed.epoch)

    # --- commands ---

    def _command(self, command: Command) -> None:
        if not command.epoch:
            command = msgspec.structs.replace(command, epoch=self._seen.epoch)
        self._join_if_new(command.epoch)
        with self._lock:
            if self._early is not None:
                self._early.append(command)
                return
            why_not = self._seen.why_stale(command)
            if not why_not:
                under_way = self._under_way.setdefault(command.subject.id, set())
                if command.command_id in under_way:
                    return
                self._seen.note(command)
                under_way.add(command.command_id)
        if why_not:
            self._report(command, Outcome(fault=HostFault(message=why_not, code=409, elsewhere=False)))
            return
        try:
            self._driver.commands.submit(command, partial(self._stage, command), partial(self._done, command))
        except BaseException:
            self._no_longer_under_way(command)  # or it would be taken for its own repetition when it comes again
            raise

    def _done(self, command: Command, outcome: Outcome) -> None:
        self._no_longer_under_way(command)
        self._networks.refresh()
        self._report(command, outcome)

    def _no_longer_under_way(self, command: Command) -> None:
        with self._lock:
            under_way = self._under_way.get(command.subject.id, set())
            under_way.discard(command.command_id)
            if not under_way:
                self._under_way.pop(command.subject.id, None)
            is_time = self._joins_when_idle and not self._under_way
            if is_time:
                self._joins_when_idle = False
        if is_time:
            self._join_soon(0.0)

    def _report(self, command: Command, outcome: Outcome) -> None:
        report = Report(
            request_id=command.request_id, host=self.host, command_id=command.command_id, subject=command.subject,
            generation=command.generation, epoch=command.epoch,
            outcome=msgspec.structs.replace(outcome, boot_id=self._boot_id),
        )  # fmt: skip
        self._bus.cast(CONDUCTOR, report)

    def _stage(self, command: Command, name: str, percent: int) -> None:
        progress = Progress(
            request_id=command.request_id, host=self.host, command_id=command.command_id, subject=command.subject,
            stage=name, percent=percent,
        )  # fmt: skip
        self._bus.cast(CONDUCTOR, progress)

    # --- facts ---

    def _join(self) -> None:
        if self._stopped:
            return
        started = HostStarted(
            host=self.host,
            boot_id=self._boot_id,
            facts=self._driver.hypervisor.facts(),
            observed=tuple(self._driver.hypervisor.observe()),
            seal_key=self._seal_key,
        )
        try:
            answer = self._bus.call(CONDUCTOR, started, timeout_s=30.0)
        except NoAnswer as why:
            _log.warning("the control plane does not answer; joining again soon", host=self.host, why=str(why))
            self._join_soon(_JOIN_RETRY_S)
            return
        if isinstance(answer, HostState):
            self._take_state(answer, {seen.server_id for seen in started.observed})
        # Not before: a guest that is down because the host was restarted would pass for one that was shut down by its user.
        if not self._is_watching:
            self._is_watching = True
            self._driver.hypervisor.watch(self._power_changed)
            self._observe_later()
        self._let_commands_in()

    def _join_soon(self, delay_s: float) -> None:
        self._clock.call_later(delay_s, lambda: self._apart(self._join, "join"))

    def _join_if_new(self, epoch: str) -> None:
        """Something names this epoch. Join again, should it be another than ours, and let commands wait."""
        with self._lock:
            if self._early is not None or not self._seen.is_to_be_asked(epoch, self._clock.monotonic()):
                return
            self._early = []
            self._joins_when_idle = is_busy = bool(self._under_way)
        _log.warning("the cloud's records may have been restored; joining anew", host=self.host, epoch=epoch)
        if not is_busy:
            self._join_soon(0.0)

    def _take_state(self, state: HostState, there: set[str]) -> None:
        """What the control plane says that this host is to have; of other servers than are `there`, nothing."""
        carried_out = self._driver.hypervisor.generations(state.epoch or self._seen.epoch)
        with self._lock:
            self._seen.begin(state.epoch, carried_out)
        self._networks.replace(only_of(state.network, there), self._seen.epoch)

    def _apart(self, work: Callable[[], None], name: str) -> None:
        """In a thread of its own, as it may block, and others wait for the clock's thread: their heartbeats, for one."""

        def safely() -> None:
            try:
                work()
            except Exception:  # noqa: BLE001 - the edge of a thread; its time comes again
                _log.exception("a host could not be looked after", host=self.host, doing=name)

        if self._workers:
            threading.Thread(target=safely, name=f"{self._topic}-{name}", daemon=True).start()
        else:
            safely()

    def _let_commands_in(self) -> None:
        with self._lock:
            early, self._early = self._early or [], None
        for command in early:
            self._command(command)

    def _observe_later(self) -> None:
        if not self._stopped:
            self._clock.call_later(OBSERVE_EVERY_S, self._time_to_observe)

    def _time_to_observe(self) -> None:
        if not self._stopped:
            self._apart(self.observe, "observe")
            self._observe_later()

    def observe(self) -> None:
        """Look at the machines, and say what runs and which networks there are."""
        if self._stopped:
            return
        seen = tuple(self._driver.hypervisor.observe())
        self._bus.cast(CONDUCTOR, HostObserved(host=self.host, observed=seen, boot_id=self._boot_id))
        self._networks.tend()

    def _power_changed(self, observed: Observed) -> None:
        self._bus.cast(CONDUCTOR, PowerChanged(host=self.host, observed=observed, boot_id=self._boot_id))

    def _answer(self, ask: Callable[[], Message]) -> Message:
        try:
            return ask()
        except KilonovaError as error:
            return Failed(fault=HostFault(message=error.message, code=error.status, elsewhere=False))
