"""Three hosts, and a network across them, in the records alone."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

import msgspec

from kilonova.domain.boot import BootParams, NicRequest
from kilonova.domain.host import HostFacts
from kilonova.domain.hostnet import HeldNetworks, NetworkSpec, ShareChange
from kilonova.domain.network import Network, ServerForNetwork
from kilonova.network import hostview, segments
from kilonova.network.changes import Changes
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.reconcilers.network_sync import NetworkSync
from kilonova.rpc.bus import Handler
from kilonova.rpc.messages import Message, ShareChanged
from kilonova.store.database import Tx
from kilonova.store.queries import hosts, networks
from kilonova.store.queries.hosts import HostDefaults
from tests.component.network.conftest import NOW, World

VNIS = (100, 102)


class Wire:
    """A bus that remembers what was fanned out."""

    def __init__(self) -> None:
        self.changes: list[ShareChange] = []

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        raise NotImplementedError

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        raise NotImplementedError

    def cast(self, topic: str, message: Message) -> None:
        raise NotImplementedError

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def fanout(self, topic: str, message: Message) -> None:
        assert isinstance(message, ShareChanged)
        assert topic == f"share.{message.change.id}"
        self.changes.append(message.change)


class StillClock:
    """Time goes on when the test says so; nothing that is to be done later is done by itself."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return 0.0

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


class Told(NamedTuple):
    """Of the tunnels of a network."""

    come: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    whole: tuple[str, ...] | None = None


class Cloud:
    """Three hosts, and networks on them."""

    def __init__(self, world: World) -> None:
        self.world, self.wire, self.clock = world, Wire(), StillClock()
        self.network_sync = NetworkSync(world.database, self.wire, self.clock)
        self.networks = EmbeddedNetworks(world.ids, Changes(self.wire, self.clock))
        with world.database.write() as tx:
            for number in (1, 2, 3):
                self.join(tx, f"h{number}", f"192.0.2.{number}")
            self.net = segments.create(tx, blank(world), VNIS)
            world.subnet(tx, self.net, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"), gateway="10.0.0.1")

    def join(self, tx: Tx, name: str, tunnel_ip: str) -> None:
        hosts.register(
            tx, name, "b", msgspec.structs.replace(FACTS, tunnel_ip=tunnel_ip), defaults=HostDefaults(),
            ids=self.world.ids, now=NOW,
        )  # fmt: skip

    def boot(self, host: str, *nics: NicRequest, server: ServerForNetwork | None = None) -> ServerForNetwork:
        """A server's ports are made; what hosts are told of it is in `told`."""
        server = server or self.world.server(host=host)
        wanted: Any = BootParams(
            scheduling=cast("Any", None), nics=nics or (NicRequest(network_id=self.net.id),), block_devices=()
        )
        with self.world.database.write() as tx:
            self.world.write_servers(tx)
            self.networks.allocate(tx, cast("Any", msgspec.structs.replace(server, host=host)), wanted, NOW)
        return server

    def delete(self, server: ServerForNetwork) -> None:
        with self.world.database.write() as tx:
            self.networks.release(tx, server.id, NOW)

    def told(self) -> Told | None:
        """What the hosts of the network are told of each other since the last time; None when nothing."""
        self.wire.changes = []
        self.clock.time += timedelta(minutes=1)
        self.network_sync.activate()
        found = [change for change in self.wire.changes if change.id == self.net.id]
        if not found:
            return None
        (change,) = found
        assert change.generation == self.generation()
        if change.network is not None:
            return Told(whole=change.network.tunnels)
        return Told(come=change.come.get(self.net.id, ()), gone=change.gone.get(self.net.id, ()))

    def known(self, host: str) -> tuple[str, ...]:
        """The tunnels that a host is told of when it starts."""
        with self.world.database.write() as tx:
            return self.networks.for_host(tx, host).networks[0].tunnels

    def newer(self, host: str, generation: int, *, urgent: bool = False) -> tuple[str, ...] | None:
        """The tunnels that a host is told of when it says that it has this generation of the network; None when nothing."""
        held = HeldNetworks(generations={self.net.id: generation}, urgent=(self.net.id,) if urgent else ())
        with self.world.database.read() as tx:
            found = self.networks.newer(tx, host, held, self.clock.now()).networks
        return found[0].tunnels if found else None

    def spec(self, server: ServerForNetwork) -> NetworkSpec:
        """The network as the server's host is told of it along with the server."""
        with self.world.database.read() as tx:
            return hostview.for_server(tx, server.id).part.networks[0]

    def generation(self) -> int:
        with self.world.database.read() as tx:
            return networks.by_ids(tx, [self.net.id])[self.net.id].generation


FACTS = HostFacts(
    vcpus=4, ram_mib=4096, disk_gib=40, hypervisor_type="QEMU", hypervisor_version=7002000, accelerator="tcg",
    arch="x86_64",
)  # fmt: skip


def blank(world: World, **changes: Any) -> Network:
    made = Network(
        id=world.ids.uuid(), project_id="p1", name="net", description="", admin_up=True, shared=False, external=False,
        is_default=False, port_security=True, mtu=1450, kind="vxlan", physical=None, segment=None, dns_domain="",
        zone_hints=(), tags=(), created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)
