"""Networks across hosts, in the records: ids, and what each host is told of the others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kilonova.domain.boot import NicRequest
from kilonova.domain.hostnet import OUTLINE
from kilonova.network import segments
from kilonova.network.defaults import DefaultNetwork, ensure_default
from kilonova.network.networks import NetworkSettings
from kilonova.store.queries import networks, tunnels
from tests.component.network.conftest import NOW, World
from tests.component.network.spanning import VNIS, Cloud, Told, blank


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
    assert cloud.told() == Told(come=("192.0.2.1",))
    second = cloud.boot("h2")
    assert cloud.told() == Told(come=("192.0.2.2",))
    third = cloud.boot("h2")
    assert cloud.told() is None
    cloud.delete(second)
    assert cloud.told() is None
    cloud.delete(third)
    assert cloud.told() == Told(gone=("192.0.2.2",))
    cloud.delete(first)
    assert cloud.told() == Told(gone=("192.0.2.1",))


def test_a_burst_is_one_change(cloud: Cloud) -> None:
    servers = [cloud.boot(host) for host in ("h1", "h2", "h3", "h3")]
    cloud.delete(servers[1])
    assert cloud.told() == Told(come=("192.0.2.1", "192.0.2.3"), gone=("192.0.2.2",))
    assert cloud.generation() == 1


def test_nothing_is_told_before_its_time_and_all_of_it_then(cloud: Cloud) -> None:
    cloud.boot("h1")
    asked: list[float] = []
    cloud.clock.call_later = lambda delay_s, _: (asked.append(delay_s), lambda: None)[1]  # type: ignore[method-assign]
    cloud.network_sync.activate()
    assert cloud.wire.changes == []
    assert asked == [pytest.approx(1.0)]
    assert cloud.told() == Told(come=("192.0.2.1",))


def test_who_missed_a_change_is_told_the_whole_and_who_did_not_is_told_nothing(cloud: Cloud) -> None:
    for host in ("h1", "h2"):
        cloud.boot(host)
        cloud.told()
    both = ("192.0.2.1", "192.0.2.2")
    assert cloud.newer("h1", 1) is None  # it may be on its way
    assert cloud.newer("h1", 1, urgent=True) == both
    assert cloud.newer("h1", OUTLINE) == both
    assert cloud.newer("h3", OUTLINE) is None  # it has no port of it, whatever it says
    cloud.clock.time += timedelta(seconds=11)
    assert cloud.newer("h1", 1) == both
    assert cloud.newer("h1", 2) is None


def test_a_servers_own_host_is_told_along_with_it(cloud: Cloud) -> None:
    cloud.boot("h1")
    server = cloud.boot("h2")
    assert (cloud.spec(server).kind, cloud.spec(server).segment) == ("vxlan", cloud.net.segment)
    assert cloud.spec(server).tunnels == ("192.0.2.1", "192.0.2.2")
    assert cloud.spec(server).generation == cloud.generation()
    with cloud.world.database.write() as tx:
        cloud.networks.activate(tx, server.id, NOW)
    another = cloud.spec(cloud.boot("h2"))
    assert (another.tunnels, another.generation) == ((), OUTLINE)  # the host has it already


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
    assert cloud.told() == Told(come=("192.0.2.1", "192.0.2.2"))
    assert cloud.generation() == before + 1


def test_a_server_that_is_placed_anew_leaves_its_old_host(cloud: Cloud) -> None:
    server = cloud.boot("h1")
    cloud.boot("h3")
    cloud.told()
    cloud.boot("h2", server=server)
    assert cloud.told() == Told(come=("192.0.2.2",), gone=("192.0.2.1",))


def test_a_host_that_starts_is_told_all_and_the_others_where_it_is_now(cloud: Cloud) -> None:
    cloud.boot("h1")
    cloud.boot("h2")
    cloud.told()
    with cloud.world.database.write() as tx:
        cloud.join(tx, "h2", "192.0.2.99")
    assert cloud.known("h2") == ("192.0.2.1", "192.0.2.99")
    assert cloud.told() == Told(whole=("192.0.2.1", "192.0.2.99"))


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
    assert cloud.told() is None
    with cloud.world.database.read() as tx:
        assert tunnels.touched(tx, server.id) == set()
    spec = cloud.spec(server)
    assert (spec.kind, spec.segment, spec.tunnels) == ("flat", None, ())
