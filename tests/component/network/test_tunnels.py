"""Networks across hosts, in the records: ids, and what each host is told of the others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import msgspec
import pytest

from kilonova.domain.boot import BootParams, NicRequest
from kilonova.domain.host import HostFacts
from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.network import Network, ServerForNetwork
from kilonova.network import hostview, segments
from kilonova.network.defaults import DefaultNetwork, ensure_default
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.networks import NetworkSettings
from kilonova.network.notify import HostNotifier
from kilonova.rpc.bus import Handler
from kilonova.rpc.messages import Message, NetworkChanged
from kilonova.store.database import Tx
from kilonova.store.queries import hosts, networks, tunnels
from kilonova.store.queries.hosts import HostDefaults
from tests.component.network.conftest import NOW, World

VNIS = (100, 102)


class Wire:
    """A bus that remembers what each host was told last."""

    def __init__(self) -> None:
        self.told: dict[str, HostNetwork] = {}
        self.is_away = False

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        raise NotImplementedError

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        raise NotImplementedError

    def fanout(self, topic: str, message: Message) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def cast(self, topic: str, message: Message) -> None:
        assert isinstance(message, NetworkChanged)
        if self.is_away:
            raise ConnectionError
        self.told[topic.removeprefix("agent.")] = message.part


class StillClock:
    """Time stands still; nothing that is to be done later is done by itself."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def call_later(self, delay_s: float, fn: Callable[[], None]) -> Callable[[], None]:
        return lambda: None


class Cloud:
    """Three hosts, and networks on them."""

    def __init__(self, world: World) -> None:
        self.world, self.wire, clock = world, Wire(), StillClock()
        self.notifier = HostNotifier(world.database, self.wire, clock)
        self.networks = EmbeddedNetworks(world.ids, self.notifier)
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
            self.networks.allocate(tx, cast("Any", msgspec.structs.replace(server, host=host)), wanted, NOW)
        return server

    def delete(self, server: ServerForNetwork) -> None:
        with self.world.database.write() as tx:
            self.networks.release(tx, server.id, NOW)

    def told(self) -> dict[str, tuple[str, ...]]:
        """The tunnels of the network that hosts were told of since the last time."""
        self.wire.told = {}
        self.notifier.tell()
        return {host: spec.tunnels for host, part in self.wire.told.items() for spec in part.networks}

    def known(self, host: str) -> tuple[str, ...]:
        """The tunnels that a host is told of when it starts."""
        with self.world.database.write() as tx:
            return self.networks.for_host(tx, host).networks[0].tunnels

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


@pytest.fixture
def cloud(world: World) -> Cloud:
    return Cloud(world)


# --- ids ---------------------------------------------------------------------------------------------------------------


def test_ids_are_given_until_there_are_none_and_again_when_one_is_back(cloud: Cloud) -> None:
    world = cloud.world
    with world.database.write() as tx:
        others = [segments.create(tx, blank(world), VNIS) for _ in range(2)]
        assert {cloud.net.segment, *(one.segment for one in others)} == {100, 101, 102}
        with pytest.raises(segments.NoNetworkAvailable, match="100 to 102"):
            segments.create(tx, blank(world), VNIS)
        networks.delete(tx, others[0].id)
        assert segments.create(tx, blank(world), VNIS).segment == others[0].segment


def test_an_id_is_never_two_networks(cloud: Cloud) -> None:
    with cloud.world.database.write() as tx:
        with pytest.raises(segments.TunnelIdInUse, match=f"tunnel ID {cloud.net.segment}"):
            segments.create(tx, blank(cloud.world, segment=cloud.net.segment), VNIS)
        flat = [segments.create(tx, blank(cloud.world, kind="flat"), VNIS) for _ in range(2)]
    assert [one.segment for one in flat] == [None, None]


def test_a_fleets_default_network_spans_hosts(world: World) -> None:
    wanted = DefaultNetwork(carried=NetworkSettings(kind="vxlan", max_mtu=9000, vnis=(7, 7)))
    with world.database.write() as tx:
        made = ensure_default(tx, wanted, "p1", ids=world.ids, now=NOW)
        assert ensure_default(tx, wanted, "p2", ids=world.ids, now=NOW) == made
    assert (made.kind, made.segment, made.mtu) == ("vxlan", 7, 8950)


# --- who is told what ----------------------------------------------------------------------------------------------------


def test_hosts_hear_of_the_first_port_and_of_the_last_on_another(cloud: Cloud) -> None:
    first = cloud.boot("h1")
    assert cloud.told() == {"h1": ("192.0.2.1",)}
    second = cloud.boot("h2")
    assert cloud.told() == dict.fromkeys(("h1", "h2"), ("192.0.2.1", "192.0.2.2"))
    third = cloud.boot("h2")
    assert cloud.told() == {}
    cloud.delete(second)
    assert cloud.told() == {}
    cloud.delete(third)
    assert cloud.told() == {"h1": ("192.0.2.1",)}
    cloud.delete(first)
    assert cloud.told() == {}


def test_what_could_not_be_told_is_told_again(cloud: Cloud) -> None:
    cloud.boot("h1")
    cloud.wire.is_away = True
    with pytest.raises(ConnectionError):
        cloud.told()
    cloud.wire.is_away = False
    assert cloud.told() == {"h1": ("192.0.2.1",)}


def test_each_telling_is_of_a_newer_generation(cloud: Cloud) -> None:
    generations = [cloud.generation()]
    for host in ("h1", "h2", "h3"):
        cloud.boot(host)
        generations.append(cloud.generation())
    assert generations == sorted(set(generations))


def test_a_servers_own_host_is_told_along_with_it(cloud: Cloud) -> None:
    cloud.boot("h1")
    server = cloud.boot("h2")
    with cloud.world.database.read() as tx:
        (spec,) = hostview.for_server(tx, server.id).part.networks
    assert (spec.kind, spec.segment, spec.generation) == ("vxlan", cloud.net.segment, cloud.generation())
    assert spec.tunnels == ("192.0.2.1", "192.0.2.2")


def test_hosts_hear_of_a_port_that_moves(cloud: Cloud) -> None:
    """Even where both its hosts have others: they may have learnt where it was."""
    for host in ("h1", "h2", "h3"):
        cloud.boot(host)
    with cloud.world.database.write() as tx:
        own = cloud.world.port(tx, cloud.net)
    first = cloud.boot("h1", NicRequest(port_id=own.id))
    cloud.told()
    before = cloud.generation()
    cloud.delete(first)
    cloud.boot("h2", NicRequest(port_id=own.id))
    assert cloud.generation() > before
    assert set(cloud.told()) == {"h1", "h2", "h3"}


def test_a_server_that_is_placed_anew_leaves_its_old_host(cloud: Cloud) -> None:
    server = cloud.boot("h1")
    cloud.boot("h3")
    cloud.told()
    cloud.boot("h2", server=server)
    assert cloud.told() == dict.fromkeys(("h2", "h3"), ("192.0.2.2", "192.0.2.3"))


def test_a_host_that_starts_is_told_all_and_the_others_where_it_is_now(cloud: Cloud) -> None:
    cloud.boot("h1")
    cloud.boot("h2")
    cloud.told()
    with cloud.world.database.write() as tx:
        cloud.join(tx, "h2", "192.0.2.99")
    assert cloud.known("h2") == ("192.0.2.1", "192.0.2.99")
    assert cloud.told()["h1"] == ("192.0.2.1", "192.0.2.99")


def test_a_host_without_a_tunnel_address_is_not_told_of(cloud: Cloud) -> None:
    with cloud.world.database.write() as tx:
        cloud.join(tx, "h2", "")
    cloud.boot("h1")
    cloud.boot("h2")
    assert cloud.known("h1") == ("192.0.2.1",)


def test_flat_networks_are_each_hosts_own(cloud: Cloud) -> None:
    with cloud.world.database.write() as tx:
        flat = cloud.world.network(tx)
        cloud.world.subnet(tx, flat, "10.1.0.0/24", ("10.1.0.2", "10.1.0.254"))
    server = cloud.boot("h1", NicRequest(network_id=flat.id))
    assert cloud.told() == {}
    with cloud.world.database.read() as tx:
        assert tunnels.touched(tx, server.id) == set()
        (spec,) = hostview.for_server(tx, server.id).part.networks
    assert (spec.kind, spec.segment, spec.tunnels) == ("flat", None, ())
