"""
The control plane and some simulated hosts, wired as bootstrap does but with no thread: a cast is handled where it is made, the
runner runs when the test says so, and time passes when the test says so. Killing the process is dropping everything but the
database and the hosts' own state, and building it anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from kilonova.agent.heartbeat import HeartbeatSender
from kilonova.agent.hypervisor.sim.driver import Pace, SimDriver, SimSettings
from kilonova.agent.service import Agent, HostIdentity
from kilonova.bootstrap.conductor import ConductorRole, ConductorWiring
from kilonova.compute.boot import BootServers
from kilonova.compute.delete import DeleteServer
from kilonova.compute.request import BootRequest
from kilonova.conductor.kernel.definition import Definition
from kilonova.conductor.kernel.execution import OnJournal
from kilonova.conductor.kernel.runner import ignore_journal
from kilonova.domain.clock import Ids
from kilonova.domain.context import RequestContext
from kilonova.domain.flavor import Flavor
from kilonova.domain.host import HostDefaults, HostFacts
from kilonova.domain.image import Image, ImageStatus
from kilonova.domain.saga import JournalEvent, Saga
from kilonova.domain.server import Server
from kilonova.network.changes import Changes
from kilonova.network.defaults import DefaultNetwork, ensure_default
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.resolve import NicResolver
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.stamped import StampedBus
from kilonova.runtime import Runtime
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.epoch import Epoch
from kilonova.store.queries import flavors, server_facts
from tests.world.clock import ManualClock

IMAGE = "11111111-2222-4333-8444-555555555555"
FLAVOR = "tiny"
TENANT = RequestContext(request_id="req-world", user_id="somebody", project_id="project-a", roles=("member", "reader"))
NETWORK = DefaultNetwork(cidr="10.9.0.0/24")
FACTS = HostFacts(
    vcpus=4, ram_mib=4096, disk_gib=100, hypervisor_type="kilonova-sim", hypervisor_version=1000000, accelerator="sim",
    arch="x86_64",
)  # fmt: skip


class OneImage:
    """An image service with one image."""

    def __init__(self, clock: ManualClock) -> None:
        self._image = Image(
            id=IMAGE, owner=None, name="tiny", status=ImageStatus.ACTIVE, visibility="public", protected=False,
            hidden=False, disk_format="qcow2", container_format="bare", size=1024, virtual_size=1 << 20, min_disk=0,
            min_ram=0, checksum=None, sha512="0" * 128, tags=(), properties={}, created_at=clock.now(), updated_at=None,
            deleted_at=None,
        )  # fmt: skip

    def get(self, *args: object) -> Image:
        """The image."""
        assert args[-1] == IMAGE
        return self._image


class World:
    """See the module's text."""

    def __init__(self, database: Database, folder: Path, *, hosts_count: int = 2) -> None:
        self.db, self.folder = database, folder
        self.names = tuple(f"host-{i}" for i in range(hosts_count))
        self.clock = ManualClock()
        self.ids = Ids(random.Random(7))
        self.on_journal: OnJournal = ignore_journal
        self.edit: Callable[[Definition], Definition] = lambda definition: definition
        self.boot_ids = dict.fromkeys(self.names, "first")
        with database.write() as tx:
            ensure_default(tx, NETWORK, "admin", ids=self.ids, now=self.clock.now())
            flavors.add(tx, self._flavor())
        self.start()

    def start(self) -> None:
        """Build the process."""
        self.epoch = Epoch(self.db, self.clock, self.ids)
        self.bus = StampedBus(InProcessBus(), self.epoch)
        self.runtime = Runtime(db=self.db, bus=self.bus, clock=self.clock, ids=self.ids, epoch=self.epoch, name="world")
        self._start_plane()
        self.drivers = {name: self._join(name) for name in self.names}
        HeartbeatSender(self.names, self.bus, self.clock).start()

    def replace_plane(self) -> None:
        """End the control plane alone, and start it anew: hosts and what they know stay."""
        self._stop_plane()
        self._start_plane()

    def _start_plane(self) -> None:
        self.epoch.read()
        self.networks = EmbeddedNetworks(self.ids, Changes(self.bus, self.clock))
        images = OneImage(self.clock)
        self.scheduler = SchedulerService(self.db, self.bus, self.clock, SchedulerSettings(), random.Random(3))
        stop_scheduler = self.bus.serve("scheduler", self.scheduler.handle, workers=0)
        wiring = ConductorWiring(
            networks=self.networks, host_defaults=HostDefaults(), on_journal=self._tell_of_journal, edit=self.edit
        )
        role = ConductorRole(self.runtime, wiring)
        self.runner, self.reconcilers = role.runner, role.reconcilers
        self.power, self.network_sync = role.reconcilers.get("power_state"), role.reconcilers.get("network_sync")
        stop_conductor = self.bus.serve("conductor", role.service.handle, workers=0)
        self._stops = (stop_scheduler, stop_conductor)
        self.boot_servers = BootServers(self.runtime, images=images, nics=NicResolver(self.clock, self.ids, NETWORK))
        self.delete_server = DeleteServer(self.runtime)

    def _stop_plane(self) -> None:
        for stop in self._stops:
            stop()

    def kill(self) -> None:
        """Kill -9, and a new process on what is left."""
        self.clock.forget_timers()
        self.start()

    def boot(self, flavor: str = FLAVOR) -> str:
        """Ask for one server; its id."""
        request = BootRequest(name="vm", flavor_ref=flavor, image_ref=IMAGE)
        return self.boot_servers(TENANT, request).server_ids[0]

    def server(self, server_id: str) -> Server:
        """A server's record."""
        with self.db.read() as tx:
            return server_facts.get(tx, server_id)

    def settle(self, seconds: float = 300.0) -> None:
        """Let everything that can happen within `seconds` happen."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            while self.runner.run_due():
                pass
            self.clock.advance(1.0)

    def _tell_of_journal(self, saga: Saga, event: JournalEvent, when: str) -> None:
        self.on_journal(saga, event, when)

    def _join(self, name: str) -> SimDriver:
        settings = SimSettings(facts=FACTS, pace=Pace(spread=0.0), state_dir=self.folder / name)
        driver = SimDriver(settings, self.clock)
        Agent(HostIdentity(name, self.boot_ids[name]), driver.driver(), self.bus, self.clock, workers=0).start()
        return driver

    def _flavor(self) -> Flavor:
        return Flavor(
            id=FLAVOR, name=FLAVOR, vcpus=1, ram_mib=512, disk_gib=1, ephemeral_gib=0, swap_mib=0, rxtx_factor=1.0,
            is_public=True, disabled=False, description=None, extra_specs={}, created_at=self.clock.now(),
            updated_at=None,
        )  # fmt: skip
