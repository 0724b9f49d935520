"""Ports of servers: made once, given back wholly, and no address given twice."""

from __future__ import annotations

import threading

import pytest

from kilonova.domain.boot import NicRequest
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing
from kilonova.network import allocate
from kilonova.network.addressing import AddressBook
from kilonova.network.errors import InvalidIpForNetwork, IpAddressGenerationFailure, IpAddressInUse, PortInUse
from kilonova.store.queries import ports, subnets
from tests.component.network.conftest import NOW, World

EVERYONE = RequestContext.internal("test")


def test_a_server_gets_a_port_with_an_address_of_each_version(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        world.subnet(tx, network, "fd00::/64", ("fd00::2", "fd00::ffff:ffff:ffff:ffff"))
        (port,) = world.allocator(tx).allocate(world.server(), [NicRequest(network_id=network.id, tag="blue")], [])
    assert [ip.address for ip in port.fixed_ips] == ["10.0.0.2", "fd00::2"]
    assert (port.host, port.device_owner, port.made_by_compute, port.tag) == ("h1", "compute:nova", True, "blue")
    assert port.mac.startswith("fa:16:3e:")


def test_allocating_twice_gives_the_same_ports(world: World) -> None:
    server = world.server()
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        nics = [NicRequest(network_id=network.id), NicRequest(network_id=network.id, fixed_ip="10.0.0.77")]
        first = world.allocator(tx).allocate(server, nics, [])
    with world.database.write() as tx:
        again = world.allocator(tx).allocate(server, nics, [])
    assert again == first
    assert [port.fixed_ips[0].address for port in first] == ["10.0.0.2", "10.0.0.77"]


def test_release_deletes_what_was_made_and_gives_the_users_port_back(world: World) -> None:
    server = world.server()
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        own = world.port(tx, network)
        nics = [NicRequest(port_id=own.id), NicRequest(network_id=network.id)]
        taken = world.allocator(tx).allocate(server, nics, [])
        allocate.activate(tx, server.id, NOW)
    assert taken[0].id == own.id
    for _ in range(2):
        with world.database.write() as tx:
            allocate.release(tx, server.id, NOW)
            assert ports.of_server(tx, server.id) == []
            left = ports.find(tx, EVERYONE, own.id)
            assert left is not None
            assert (left.device_id, left.device_owner, left.host, left.status) == ("", "", None, "DOWN")
            assert ports.find(tx, EVERYONE, taken[1].id) is None


def test_a_port_of_another_server_is_refused(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        own = world.port(tx, network)
        world.allocator(tx).allocate(world.server(), [NicRequest(port_id=own.id)], [])
        with pytest.raises(PortInUse, match=own.id):
            world.allocator(tx).allocate(world.server(), [NicRequest(port_id=own.id)], [])


def test_a_network_that_went_away_is_named(world: World) -> None:
    with world.database.write() as tx, pytest.raises(Missing, match="nowhere"):
        world.allocator(tx).allocate(world.server(), [NicRequest(network_id="nowhere")], [])


def test_a_freed_address_rests_until_the_search_comes_round_to_it(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/29", ("10.0.0.2", "10.0.0.3"), ("10.0.0.5", "10.0.0.5"))
        servers = [world.server() for _ in range(3)]
        given = [one_address(world, tx, server, network.id) for server in servers]
        assert given == ["10.0.0.2", "10.0.0.3", "10.0.0.5"]
        allocate.release(tx, servers[0].id, NOW)
        allocate.release(tx, servers[1].id, NOW)
        assert [one_address(world, tx, world.server(), network.id) for _ in range(2)] == ["10.0.0.2", "10.0.0.3"]


def test_a_full_pool_says_which_subnet_and_how_many(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        subnet = world.subnet(tx, network, "10.0.0.0/29", ("10.0.0.2", "10.0.0.3"))
        for _ in range(2):
            one_address(world, tx, world.server(), network.id)
        with pytest.raises(IpAddressGenerationFailure, match=f"subnet {subnet.id} has given 2 of 2"):
            one_address(world, tx, world.server(), network.id)


def test_a_second_subnet_takes_over_when_the_first_is_full(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/29", ("10.0.0.2", "10.0.0.2"))
        world.subnet(tx, network, "10.0.1.0/29", ("10.0.1.2", "10.0.1.2"))
        given = {one_address(world, tx, world.server(), network.id) for _ in range(2)}
    assert given == {"10.0.0.2", "10.0.1.2"}


def test_the_search_passes_a_long_stretch_of_given_addresses(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        subnet = world.subnet(tx, network, "10.0.0.0/16", ("10.0.0.2", "10.0.255.254"))
        port = world.port(tx, network)
        book = AddressBook(tx, [network.id])
        book.give(network.id, port.id, [(None, f"10.0.{n // 250}.{n % 250 + 2}") for n in range(600)])
        assert subnets.count_given(tx, subnet.id) == 600
        assert one_address(world, tx, world.server(), network.id) == "10.0.0.252"


def test_addresses_asked_for_are_checked(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"), gateway="10.0.0.1")
        port = world.port(tx, network)
        book = AddressBook(tx, [network.id])
        book.give(network.id, port.id, [(None, "10.0.0.9")])
        for address, refusal in {
            "10.0.0.9": IpAddressInUse,
            "10.0.0.1": IpAddressInUse,
            "10.1.0.1": InvalidIpForNetwork,
        }.items():
            with pytest.raises(refusal, match=address):
                book.give(network.id, port.id, [(None, address)])


def test_two_servers_at_once_never_get_one_address(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
    given: list[str] = []

    def boot(servers: list[str]) -> None:
        for _ in servers:
            with world.database.write() as tx:
                given.append(one_address(world, tx, world.server(), network.id))

    threads = [threading.Thread(target=boot, args=(["x"] * 15,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(given) == len(set(given)) == 60


def one_address(world: World, tx: object, server: object, network_id: str) -> str:
    (port,) = world.allocator(tx).allocate(server, [NicRequest(network_id=network_id)], [])  # type: ignore[arg-type]
    return port.fixed_ips[0].address
