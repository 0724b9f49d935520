"""What a request for servers may ask of the networks."""

from __future__ import annotations

import pytest

from kilonova.domain.boot import NicRequest
from kilonova.domain.clock import SystemClock
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, Denied, KilonovaError, OverQuota, Rejected
from kilonova.network.addressing import AddressBook
from kilonova.network.defaults import DefaultNetwork
from kilonova.network.resolve import NicResolver, ResolvedNics, Wanted
from kilonova.store.database import Tx
from kilonova.store.queries import network_quotas
from tests.component.network.conftest import World

ME = RequestContext(request_id="req-1", project_id="p1", roles=("member",))


def resolve(world: World, tx: Tx, wanted: Wanted, count: int = 1, groups: tuple[str, ...] = ()) -> ResolvedNics:
    resolver = NicResolver(SystemClock(), world.ids, DefaultNetwork())
    return resolver.resolve(tx, ME, wanted, count, groups)


def usable(world: World, tx: Tx, *, project_id: str = "p1", shared: bool = False, external: bool = False) -> str:
    network = world.network(tx, project_id=project_id, shared=shared, external=external)
    world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"), gateway="10.0.0.1")
    return network.id


def test_nothing_asked_means_the_only_network_there_is(world: World) -> None:
    with world.database.write() as tx:
        mine = usable(world, tx)
        usable(world, tx, project_id="p2")
        assert resolve(world, tx, None).nics == (NicRequest(network_id=mine),)


def test_nothing_asked_where_there_are_several_is_refused(world: World) -> None:
    with world.database.write() as tx:
        usable(world, tx)
        usable(world, tx, project_id="p2", shared=True)
        with pytest.raises(Conflict, match="Multiple possible networks found"):
            resolve(world, tx, None)


def test_nothing_asked_where_there_is_none_is_a_server_without(world: World) -> None:
    with world.database.write() as tx:
        assert resolve(world, tx, None).nics == ()
        assert resolve(world, tx, "none").nics == ()


def test_auto_makes_the_default_network_and_finds_it_again(world: World) -> None:
    with world.database.write() as tx:
        made = resolve(world, tx, "auto").nics
        usable(world, tx)
        assert len(made) == 1
        assert resolve(world, tx, "auto").nics == made


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10.0.0.9", "already in use"),
        ("10.0.0.1", "already in use"),
        ("10.9.9.9", "not a valid ip"),
        ("x", "not a valid ip"),
    ],
)
def test_a_fixed_address_is_checked(world: World, address: str, message: str) -> None:
    with world.database.write() as tx:
        network = usable(world, tx)
        port = world.port(tx, world.network(tx))
        AddressBook(tx, [network]).give(network, port.id, [(None, "10.0.0.9")])
        with pytest.raises(Rejected, match=message):
            resolve(world, tx, (NicRequest(network_id=network, fixed_ip=address),))


def test_what_one_server_alone_can_have_is_refused_for_several(world: World) -> None:
    with world.database.write() as tx:
        network = usable(world, tx)
        for nic in (NicRequest(network_id=network, fixed_ip="10.0.0.9"), NicRequest(port_id="p")):
            with pytest.raises(Rejected):
                resolve(world, tx, (nic,), count=2)


def test_networks_and_ports_of_others_do_not_exist(world: World) -> None:
    with world.database.write() as tx:
        theirs = usable(world, tx, project_id="p2")
        port = world.port(tx, world.network(tx, project_id="p2"), project_id="p2")
        for nic in (NicRequest(network_id=theirs), NicRequest(network_id="nowhere"), NicRequest(port_id=port.id)):
            with pytest.raises(Rejected, match="could not be found"):
                resolve(world, tx, (nic,))


def test_an_external_network_is_not_for_servers(world: World) -> None:
    with world.database.write() as tx:
        network = usable(world, tx, project_id="p2", external=True)
        with pytest.raises(Denied):
            resolve(world, tx, (NicRequest(network_id=network),))


def test_a_network_without_a_subnet_is_refused(world: World) -> None:
    with world.database.write() as tx, pytest.raises(Rejected, match="requires a subnet"):
        resolve(world, tx, (NicRequest(network_id=world.network(tx).id),))


def test_a_port_in_use_is_a_conflict(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        subnet = world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        port = world.port(tx, network)
        with pytest.raises(Rejected, match="requires a FixedIP"):
            resolve(world, tx, (NicRequest(port_id=port.id),))
        AddressBook(tx, [network.id]).give(network.id, port.id, [(subnet.id, None)])
        assert resolve(world, tx, (NicRequest(port_id=port.id),)).nics == (NicRequest(port_id=port.id),)
        world.allocator(tx).allocate(world.server(), [NicRequest(port_id=port.id)], [])
        with pytest.raises(Conflict, match="still in use"):
            resolve(world, tx, (NicRequest(port_id=port.id),))


def test_the_quota_of_ports_counts_every_server(world: World) -> None:
    with world.database.write() as tx:
        network = usable(world, tx)
        network_quotas.put(tx, "p1", {"port": 3})
        resolve(world, tx, (NicRequest(network_id=network),), count=3)
        with pytest.raises(OverQuota):
            resolve(world, tx, (NicRequest(network_id=network),), count=4)
        network_quotas.put(tx, "p1", {"port": -1})
        resolve(world, tx, (NicRequest(network_id=network),), count=4000)


def test_groups_are_found_by_name_and_id_and_the_default_is_made(world: World) -> None:
    with world.database.write() as tx:
        (default,) = resolve(world, tx, None).group_ids
        assert resolve(world, tx, None, groups=("default", default)).group_ids == (default,)
        web = [world.group(tx, "web").id for _ in range(2)]
        assert resolve(world, tx, None, groups=(web[1],)).group_ids == (web[1],)
        for word, refusal in {"web": Conflict, "nothing": Rejected}.items():
            with pytest.raises(refusal, match=word):
                resolve(world, tx, None, groups=(word,))


def test_a_token_without_a_project_has_no_servers(world: World) -> None:
    resolver = NicResolver(SystemClock(), world.ids, DefaultNetwork())
    with world.database.write() as tx, pytest.raises(KilonovaError, match="scoped"):
        resolver.resolve(tx, RequestContext(request_id="r"), None, 1, ())
