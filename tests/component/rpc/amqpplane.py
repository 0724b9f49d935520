"""
The control plane and one simulated host as four processes would be: a bus each, threads, the system's clock, PostgreSQL.

Each part can be stopped and started by itself, on a new connection.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from kilonova.agent.hypervisor.sim.driver import Pace, SimDriver, SimSettings
from kilonova.agent.service import Agent, HostIdentity
from kilonova.bootstrap.conductor import ConductorRole, ConductorWiring
from kilonova.compute.boot import BootServers
from kilonova.compute.delete import DeleteServer
from kilonova.compute.request import BootRequest
from kilonova.conductor.host_keys import HostKeys
from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.flavor import Flavor
from kilonova.domain.host import HostDefaults
from kilonova.domain.server import Server
from kilonova.domain.status import status_of
from kilonova.network.changes import Changes
from kilonova.network.defaults import ensure_default
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.resolve import NicResolver
from kilonova.rpc.bus import Bus
from kilonova.rpc.commands import Command
from kilonova.rpc.sealed_bus import OpeningBus, SealingBus
from kilonova.rpc.sealing import HostKey
from kilonova.rpc.stamped import StampedBus
from kilonova.runtime import Runtime
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.epoch import Epoch
from kilonova.store.queries import flavors, server_facts
from kilonova.store.tables import metadata
from tests.world.plane import FACTS, FLAVOR, IMAGE, NETWORK, TENANT, OneImage

HOST = "host-0"
QUICK = Pace(image_s=0.05, disks_s=0.02, network_s=0.02, domain_s=0.05, remove_s=0.02)


class AmqpPlane:
    """See the module's text. Made with nothing but its records and who takes requests."""

    def __init__(self, database: Database, folder: Path, make_bus: Callable[[], Bus]) -> None:
        self._db, self._folder, self._make_bus = database, folder, make_bus
        self._clock, self._ids = SystemClock(), Ids()
        self._epoch = Epoch(database, self._clock, self._ids)
        self._epoch.read()
        self.commands: list[Command] = []  # that have come to the host's driver
        self._stops: dict[str, tuple[Callable[[], None], Bus]] = {}
        with database.write() as tx:
            ensure_default(tx, NETWORK, "admin", ids=self._ids, now=self._clock.now())
            flavors.add(tx, self._flavor())
        images = OneImage(self._clock)
        bus = make_bus()
        self._stops["api"] = (lambda: None, bus)
        runtime = self._runtime(bus)
        self.host_keys = HostKeys(database, self._clock)
        self._boot = BootServers(runtime, images=images, nics=NicResolver(self._clock, self._ids, NETWORK))
        self._delete = DeleteServer(runtime)

    def start(self, *parts: str) -> None:
        """Start `conductor`, `scheduler`, `agent`."""
        for part in parts:
            bus = StampedBus(self._make_bus(), self._epoch)
            self._stops[part] = (getattr(self, f"_{part}")(bus), bus)

    def stop(self, *parts: str) -> None:
        """Stop these, in good order."""
        for part in parts:
            stop, bus = self._stops.pop(part)
            stop()
            bus.close()

    def close(self) -> None:
        """Stop all there is."""
        self.stop(*reversed(self._stops))

    def boot(self, **what: Any) -> str:
        """Ask for a server; its id."""
        request = BootRequest(name="vm", flavor_ref=FLAVOR, image_ref=IMAGE, **what)
        return self._boot(TENANT, request).server_ids[0]

    def delete(self, server_id: str) -> None:
        """Ask for a server to be gone."""
        self._delete(TENANT, server_id)

    def server(self, server_id: str) -> Server:
        """Its record."""
        with self._db.read() as tx:
            return server_facts.get(tx, server_id)

    def tables_with(self, text: str) -> set[str]:
        """The tables that have a text anywhere in them."""
        with self._db.read() as tx:
            return {name for name, table in metadata.tables.items() if text in repr(tx.execute(select(table)).all())}

    def status(self, server_id: str) -> str:
        """As users see it."""
        return str(status_of(self.server(server_id)).status)

    def _runtime(self, bus: Bus) -> Runtime:
        return Runtime(db=self._db, bus=bus, clock=self._clock, ids=self._ids, epoch=self._epoch, name="conductor")

    def _conductor(self, bus: Bus) -> Callable[[], None]:
        bus = SealingBus(bus, self.host_keys.of)
        networks = EmbeddedNetworks(self._ids, Changes(bus, self._clock))
        wiring = ConductorWiring(
            networks=networks, host_defaults=HostDefaults(), on_host_key=self.host_keys.forget, saga_workers=2
        )
        made = ConductorRole(self._runtime(bus), wiring)
        made.start()
        return made.stop

    def _scheduler(self, bus: Bus) -> Callable[[], None]:
        made = SchedulerService(self._db, bus, self._clock, SchedulerSettings())
        made.start()
        return made.stop

    def watched(self, driver: SimDriver) -> SimDriver:
        """The same, whose commands are remembered."""
        submit = driver.submit

        def remembering(command: Command, *more: Any) -> None:
            self.commands.append(command)
            submit(command, *more)

        driver.submit = remembering  # type: ignore[method-assign]
        return driver

    def _agent(self, bus: Bus) -> Callable[[], None]:
        driver = SimDriver(SimSettings(facts=FACTS, pace=QUICK, state_dir=self._folder / HOST), self._clock)
        key = HostKey.kept_in(self._folder / HOST)
        made = Agent(
            HostIdentity(HOST, "first", key.public), self.watched(driver).driver(), OpeningBus(bus, key), self._clock
        )
        made.start()
        return made.stop

    def _flavor(self) -> Flavor:
        return Flavor(
            id=FLAVOR, name=FLAVOR, vcpus=1, ram_mib=512, disk_gib=1, ephemeral_gib=0, swap_mib=0, rxtx_factor=1.0,
            is_public=True, disabled=False, description=None, extra_specs={}, created_at=self._clock.now(),
            updated_at=None,
        )  # fmt: skip
