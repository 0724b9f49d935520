"""
A host that only pretends.

A boot goes through the stages a real one does (image, disks, network, domain), each taking a time drawn around
`Pace`'s medians on the injected clock. Nothing waits in a thread: ten thousand boots under way are ten thousand
timers. An image is fetched once a host; the first boot of it is slow and the next are not, as in life. What "exists"
on the host is kept in a small file, so that a killed process finds its machines again as a real host would.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from kilonova.agent.commands import Done, OnStage, unknown
from kilonova.agent.driver import Driver
from kilonova.agent.hypervisor.sim.machines import Machine, Machines
from kilonova.agent.hypervisor.sim.network import SimNetwork
from kilonova.domain.clock import Clock
from kilonova.domain.errors import Missing
from kilonova.domain.host import HostFacts
from kilonova.domain.machine import ImageRef
from kilonova.domain.report import HostFault, Observed, Outcome
from kilonova.domain.server import PowerState
from kilonova.rpc.commands import Command, EnsureServer, RemoveServer, SetPower, UpdateGuestData


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Median seconds of each stage, and how far they spread (sigma of a log-normal); `factor` 0: everything at once."""

    image_s: float = 1.5  # the first time an image is used on the host
    disks_s: float = 0.15
    network_s: float = 0.1
    domain_s: float = 0.6
    power_s: float = 0.3
    remove_s: float = 0.25
    spread: float = 0.25
    factor: float = 1.0


class SimSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One simulated host. `state_dir` None: it forgets everything with the process."""

    facts: HostFacts
    pace: Pace = Pace()
    state_dir: Path | None = None
    seed: int = 0
    keeps_addresses: bool = False  # of groups' members: a thousand hosts with ten thousand each are too many


class SimDriver:
    """Every part of a host at once, with nothing behind it; `driver` puts them together."""

    def __init__(self, settings: SimSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._rng = random.Random(settings.seed)  # noqa: S311 - variety, not secrecy
        self._machines = Machines(settings.state_dir)
        self._network = SimNetwork(keeps_addresses=settings.keeps_addresses)
        self._images: set[str] = set()
        self._order: dict[str, list[Callable[[], None]]] = {}
        self._lock = threading.RLock()
        self._started = clock.monotonic()
        self._handlers: dict[type[Command], Callable[[Any, OnStage, Done], None]] = {
            EnsureServer: self._ensure,
            RemoveServer: self._remove,
            SetPower: self._set_power,
            UpdateGuestData: self._update_guest_data,
        }

    def driver(self) -> Driver:
        """As an agent takes it."""
        return Driver(hypervisor=self, commands=self, network=self._network, images=self, consoles=self)

    def facts(self) -> HostFacts:
        return self._settings.facts

    def observe(self) -> list[Observed]:
        return self._machines.observed()

    def generations(self, epoch: str) -> dict[str, int]:
        return self._machines.generations(epoch)

    def watch(self, changed: Callable[[Observed], None]) -> None:
        """Simulated guests do nothing of their own accord."""

    def console_output(self, server_id: str, lines: int | None) -> str:
        machine = self._machines.get(server_id)
        if machine is None:
            raise Missing("Server", server_id)
        text = machine.console.splitlines(keepends=True)
        return "".join(text if lines is None else text[-lines:] if lines else [])

    def inventory(self) -> dict[str, tuple[tuple[str, str], ...]]:
        return {}

    def uptime(self) -> str:
        minutes = int(self._clock.monotonic() - self._started) // 60
        return f" up {minutes} min,  0 users,  load average: 0.00, 0.00, 0.00"

    def cache_image(self, image: ImageRef) -> None:
        self._images.add(image.id)

    def lose_power(self) -> None:
        """The host goes down and comes up again: its machines are there, and none runs."""
        self._machines.all_down()

    def close(self) -> None:
        """Nothing is held."""

    def purge(self) -> None:
        self._machines.purge()

    def submit(self, command: Command, stage: OnStage, done: Done) -> None:
        """Queue behind the subject's other commands, and go on when it is this one's turn."""
        go = partial(self._go, command, stage, partial(self._end, command.subject.id, done))
        with self._lock:
            waiting = self._order.setdefault(command.subject.id, [])
            waiting.append(go)
            is_first = len(waiting) == 1
        if is_first:
            go()

    def _end(self, subject_id: str, done: Done, outcome: Outcome) -> None:
        with self._lock:
            waiting = self._order[subject_id]
            waiting.pop(0)
            following = waiting[0] if waiting else None
            if following is None:
                del self._order[subject_id]
        done(outcome)
        if following is not None:
            following()

    def _go(self, command: Command, stage: OnStage, done: Done) -> None:
        handler = self._handlers.get(type(command))
        if handler is None:
            done(unknown(command))
        else:
            handler(command, stage, done)

    def _ensure(self, command: EnsureServer, stage: OnStage, done: Done) -> None:
        self._stage(self._boot_stages(command), 0, stage, partial(self._booted, command, done))

    def _remove(self, command: RemoveServer, _stage: OnStage, done: Done) -> None:
        self._after(self._settings.pace.remove_s, partial(self._removed, command, done))

    def _set_power(self, command: SetPower, _stage: OnStage, done: Done) -> None:
        self._after(self._settings.pace.power_s, partial(self._powered, command, done))

    def _boot_stages(self, command: EnsureServer) -> list[tuple[str, float]]:
        known = self._machines.get(command.server_id)
        if known is not None and known.power_state is PowerState.RUNNING:
            return []  # it runs: converging again is looking and finding so
        pace = self._settings.pace
        wanted = {disk.image.id for disk in command.spec.disks if disk.image is not None}
        image_s = pace.image_s if wanted - self._images else 0.0
        self._images |= wanted
        return [("image", image_s), ("disks", pace.disks_s), ("network", pace.network_s), ("domain", pace.domain_s)]

    def _stage(self, stages: list[tuple[str, float]], at: int, on_stage: OnStage, then: Callable[[], None]) -> None:
        if at == len(stages):
            then()
            return
        name, seconds = stages[at]
        on_stage(name, at * 100 // len(stages))
        self._after(seconds, partial(self._stage, stages, at + 1, on_stage, then))

    def _booted(self, command: EnsureServer, done: Done) -> None:
        console = (
            f"[    0.000000] Simulated machine {command.spec.instance_name} on {self._settings.facts.hypervisor_type}\n"
            f"[    0.{self._rng.randrange(10**6):06d}] {command.spec.vcpus} CPUs, {command.spec.ram_mib} MiB\n"
            f"{command.spec.guest.hostname} login: "
        )
        machine = Machine(
            server_id=command.server_id, generation=command.generation, epoch=command.epoch,
            power_state=PowerState.RUNNING, console=console, guest_name=command.spec.guest.name,
        )  # fmt: skip
        self._network.merge(command.network)
        self._machines.put(machine)
        done(Outcome(power_state=PowerState.RUNNING))

    def _removed(self, command: RemoveServer, done: Done) -> None:
        self._network.remove_server(command.server_id)
        self._machines.remove(command.server_id, command.generation, command.epoch)
        done(Outcome(power_state=PowerState.NOSTATE))

    def _powered(self, command: SetPower, done: Done) -> None:
        machine = self._machines.get(command.server_id)
        if machine is None:
            done(Outcome(fault=HostFault(message=f"Server {command.server_id} is not on this host.", elsewhere=False)))
            return
        changed = msgspec.structs.replace(
            machine, power_state=command.target, generation=command.generation, epoch=command.epoch
        )
        self._machines.put(changed)
        done(Outcome(power_state=command.target))

    def _update_guest_data(self, command: UpdateGuestData, _stage: OnStage, done: Done) -> None:
        machine = self._machines.get(command.server_id)
        if machine is None:
            done(Outcome(fault=HostFault(message=f"Server {command.server_id} is not on this host.", elsewhere=False)))
            return
        told = msgspec.structs.replace(
            machine, guest_name=command.guest.name, generation=command.generation, epoch=command.epoch
        )
        self._machines.put(told)
        done(Outcome())

    def _after(self, median_s: float, then: Callable[[], None]) -> None:
        pace = self._settings.pace
        seconds = median_s * pace.factor * self._rng.lognormvariate(0.0, pace.spread)
        if seconds <= 0:
            then()
        else:
            self._clock.call_later(seconds, then)
