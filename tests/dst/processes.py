"""
What runs in a world: the API, conductors, schedulers and hosts, each a process that can end at any moment and start again.

They are wired as `bootstrap` does, but with no thread: what a thread would do is an event. A conductor's workers are the turns it
takes while sagas wait for one; its pass over the records, its timeline and its reconcilers are a timer's.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec

from kilonova.agent.commands import Done
from kilonova.agent.heartbeat import HeartbeatSender
from kilonova.agent.hypervisor.sim.driver import Pace, SimDriver, SimSettings
from kilonova.agent.hypervisor.sim.machines import Machines
from kilonova.agent.hypervisor.sim.network import SimNetwork
from kilonova.agent.service import Agent, HostIdentity
from kilonova.bootstrap.conductor import ConductorRole, ConductorWiring
from kilonova.compute.boot import BootServers
from kilonova.compute.delete import DeleteServer
from kilonova.compute.server_groups import ServerGroups
from kilonova.compute.update import UpdateServerRecord
from kilonova.domain.host import HostDefaults, HostFacts
from kilonova.domain.report import HostFault, Outcome
from kilonova.domain.saga import JournalEvent, Saga
from kilonova.network.changes import Changes
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.resolve import NicResolver
from kilonova.rpc.commands import EnsureServer
from kilonova.runtime import Runtime
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.queries import saga_leases
from tests.dst.bus import LifeBus
from tests.dst.events import DECLARED, Killed, Life, LifeClock
from tests.dst.liveness import SPAWN_FAILED
from tests.dst.store import NETWORK, LifeDatabase

if TYPE_CHECKING:
    from tests.dst.world import World

FACTS = HostFacts(
    vcpus=5, ram_mib=8192, disk_gib=100, hypervisor_type="kilonova-sim", hypervisor_version=1000000, accelerator="sim",
    arch="x86_64",
)  # fmt: skip
RATIOS = HostDefaults(cpu_ratio=1.0, ram_ratio=1.0)
LOOK_EVERY_S = 10.0
_WORKERS = 3  # turns that a conductor may have begun at a time


class Process:
    """Something with a name that is alive or not. `skew_s`: how wrong its machine's clock is."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.skew_s = 0.0
        self.life = Life(name)
        self.life.end()

    @property
    def is_up(self) -> bool:
        return not self.life.is_over

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.life.end()

    def start(self) -> None:
        """A new life, on what the last one left."""
        self.life = life = Life(self.name, stops_whole=isinstance(self, SchedulerProcess))
        world = self.world
        self.clock = LifeClock(world.events, life, lambda: self.skew_s)
        self.bus = LifeBus(world.transport, life)
        self.db = LifeDatabase(world.store, world.events, life, world.committed)
        self.db.odds = lambda: world.odds
        self.runtime = Runtime(db=self.db, bus=self.bus, clock=self.clock, ids=world.ids, name=self.name)
        try:
            self.wire()
        except Killed as killed:
            if killed.life is not life:
                raise
        except Exception as error:  # noqa: BLE001 - it does not come up: whoever watches it starts it again
            world.chance.raised("does not start", self.name, error, DECLARED)
            life.end()

    def wire(self) -> None:
        raise NotImplementedError

    def every(self, seconds: float, name: str, act: object) -> None:
        """Again and again, as a thread does that logs what goes wrong."""

        def go() -> None:
            self.world.events.after(seconds, life, f"{self.name} {name}", go)
            act()  # type: ignore[operator]

        life = self.life
        self.world.events.after(seconds * self.world.chance.rng.random(), life, f"{self.name} {name}", go)


class Api(Process):
    """The use cases that people call."""

    def wire(self) -> None:
        world = self.world
        self.boot = BootServers(self.runtime, images=world.images, nics=NicResolver(self.clock, world.ids, NETWORK))
        self.delete = DeleteServer(self.runtime)
        self.groups = ServerGroups(self.runtime)
        self.update = UpdateServerRecord(self.runtime)


class ConductorProcess(Process):
    """A conductor with its runner."""

    def wire(self) -> None:
        world, networks = self.world, networks_of(self)
        wiring = ConductorWiring(
            networks=networks, host_defaults=RATIOS, on_journal=self._on_journal, edit=world.edit, saga_workers=0
        )
        role = ConductorRole(self.runtime, wiring)
        self.runner, self.conductor, self.reconcilers = role.runner, role.service, role.reconcilers
        self.power, self.network_sync = role.reconcilers.get("power_state"), role.reconcilers.get("network_sync")
        self.guest_data = role.reconcilers.get("guest_data")
        self._turns = 0
        with self.db.write() as tx:
            saga_leases.renounce(tx, self.name, self.clock.now())
        self.bus.serve("conductor", self.conductor.handle)
        self.every(LOOK_EVERY_S, "looks", self._look)
        self.every(self.power.period_s, "powers", self.power.activate)
        self.every(self.network_sync.period_s, "tells hosts", self.network_sync.activate)
        self.every(self.guest_data.period_s, "tells guests", self.guest_data.activate)

    def take_turns(self) -> None:
        """Begin as many turns as there are workers and sagas that wait."""
        while self._turns < min(_WORKERS, len(self.runner._lanes)):
            self._turns += 1
            self.world.events.after(
                self.world.chance.between(0.0, 0.01), self.life, f"{self.name} takes a turn", self._turn
            )

    def _turn(self) -> None:
        life = self.life
        try:
            self.runner.run_next()
        finally:
            if life is self.life:  # or the process has started anew while this turn was paused
                self._turns -= 1

    def _look(self) -> None:
        self.runner.look()
        self.conductor._timeline._flush()
        for loop in self.reconcilers._loops.values():
            if loop.woken.is_set():
                loop.woken.clear()
                loop.reconciler.activate()

    def _on_journal(self, saga: Saga, event: JournalEvent, when: str) -> None:
        if when == "after":
            self.world.chance.note(self.name, saga.kind, saga.subject.id, event.seq, event.event, event.step)
        if self.world.chance.happens(self.world.odds.crash_write, "crash at a line"):
            self.life.end()
            self.life.check()


class SchedulerProcess(Process):
    """A scheduler; what its refreshing thread does is a timer's."""

    def wire(self) -> None:
        rng = random.Random(self.world.chance.rng.random())
        self.scheduler = SchedulerService(self.db, self.bus, self.clock, SCHEDULING, rng)
        self.scheduler.refresh()
        self.bus.serve("scheduler", self.scheduler.handle)
        self.every(SCHEDULING.refresh_s, "refreshes", self.scheduler.refresh)


class HostProcess(Process):
    """A host and its agent. Machines outlive the agent; they stop with the host (`lose_power`)."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        self.machines = Machines(None)
        self.network = SimNetwork(keeps_addresses=True)
        self.addresses: dict[str, tuple[str, ...]] = {}
        self.boots = 1

    def wire(self) -> None:
        facts = msgspec.structs.replace(FACTS, tunnel_ip=self.name)
        settings = SimSettings(facts=facts, pace=PACE, seed=self.world.chance.rng.getrandbits(32))
        self.driver = _Driver(settings, self.clock, self)
        self.driver._machines, self.driver._network = self.machines, self.network
        self.agent = Agent(
            HostIdentity(self.name, f"boot-{self.boots}"), self.driver.driver(), self.bus, self.clock, workers=0
        )
        HeartbeatSender((self.name,), self.bus, self.clock).start()
        self.agent.start()

    def lose_power(self) -> None:
        """The host goes down, with all that ran on it."""
        self.kill()
        self.machines.all_down()
        self.boots += 1

    def observe(self) -> None:
        self.agent.observe()


class _Driver(SimDriver):
    """A simulated hypervisor which sometimes cannot make a machine."""

    def __init__(self, settings: SimSettings, clock: LifeClock, host: HostProcess) -> None:
        super().__init__(settings, clock)
        self._host = host

    def _booted(self, command: EnsureServer, done: Done) -> None:
        host, world = self._host, self._host.world
        host.addresses[command.server_id] = tuple(
            address for link in command.spec.guest.links for address in link.addresses
        )
        if not world.chance.happens(world.odds.spawn_fails, "spawn failed"):
            super()._booted(command, done)
        elif world.chance.happens(0.5):
            done(_FAILED)
        else:  # it is half there
            super()._booted(command, lambda _: done(_FAILED))


_FAILED = Outcome(fault=HostFault(message=SPAWN_FAILED, elsewhere=True))
PACE = Pace(image_s=2.0, disks_s=0.2, network_s=0.1, domain_s=1.0, spread=1.0)
SCHEDULING = SchedulerSettings(cache_mib=1, refresh_s=20.0)


def networks_of(process: Process) -> EmbeddedNetworks:
    return EmbeddedNetworks(process.world.ids, Changes(process.bus, process.clock))
