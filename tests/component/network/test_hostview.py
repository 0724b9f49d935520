"""What a host is told of a server and of its whole share."""

from __future__ import annotations

from kilonova.domain.boot import NicRequest
from kilonova.domain.hostnet import bridge_name, tap_name
from kilonova.network import addresses, allocate, hostview
from kilonova.network.defaults import ensure_default_group
from kilonova.store.queries import security_groups
from tests.component.network.conftest import NOW, World


def test_a_server_on_two_networks_is_described_wholly(world: World) -> None:
    server = world.server()
    with world.database.write() as tx:
        first, second = world.network(tx), world.network(tx)
        world.subnet(tx, first, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"), gateway="10.0.0.1")
        world.subnet(tx, second, "fd00::/64", ("fd00::2", "fd00::ffff"))
        group = ensure_default_group(tx, "p1", ids=world.ids, now=NOW)
        nics = [NicRequest(network_id=first.id), NicRequest(network_id=second.id, tag="data")]
        made = world.allocator(tx).allocate(server, nics, [group.id])
        view = hostview.for_server(tx, server.id)
    assert [nic.port_id for nic in view.nics] == [port.id for port in made]
    assert (view.nics[1].tap, view.nics[1].bridge) == (tap_name(made[1].id), bridge_name(second.id))
    assert view.nics[1].tag == "data"
    assert [link.addresses for link in view.links] == [("10.0.0.2/24",), ("fd00::2/64",)]
    assert (view.links[0].gateway, view.links[0].dns) == ("10.0.0.1", ("9.9.9.9",))
    assert {network.id for network in view.part.networks} == {first.id, second.id}
    (spec,) = view.part.groups
    assert spec.members_on == {first.id: ("10.0.0.2",), second.id: ("fd00::2",)}
    assert sorted((rule.direction, rule.ethertype, rule.remote_group) for rule in spec.rules) == [
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", group.id),
        ("ingress", "IPv6", group.id),
    ]


def test_a_host_is_told_of_its_own_ports_and_of_members_elsewhere(world: World) -> None:
    with world.database.write() as tx:
        network, other = world.network(tx), world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        world.subnet(tx, other, "10.9.0.0/24", ("10.9.0.2", "10.9.0.254"))
        group = ensure_default_group(tx, "p1", ids=world.ids, now=NOW)
        for host, on in (("h1", network), ("h2", network), ("h2", other)):
            world.allocator(tx).allocate(world.server(host=host), [NicRequest(network_id=on.id)], [group.id])
        state = hostview.for_host(tx, "h1")
    assert [port.addresses for port in state.ports] == [("10.0.0.2",)]
    assert [one.id for one in state.networks] == [network.id]
    assert state.groups[0].members_on == {network.id: ("10.0.0.2", "10.0.0.3"), other.id: ("10.9.0.2",)}


def test_a_group_that_the_host_has_is_not_sent_again(world: World) -> None:
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        group = ensure_default_group(tx, "p1", ids=world.ids, now=NOW)
        servers = [world.server(host="h1"), world.server(host="h1"), world.server(host="h2")]
        for server in servers:
            world.allocator(tx).allocate(server, [NicRequest(network_id=network.id)], [group.id])
        assert len(hostview.for_server(tx, servers[1].id).part.groups) == 1
        allocate.activate(tx, servers[0].id, NOW)
        assert hostview.for_server(tx, servers[1].id).part.groups == ()
        assert len(hostview.for_server(tx, servers[2].id).part.groups) == 1


def test_every_group_that_is_sent_is_complete(world: World) -> None:
    """A host may have ports in a group that another's rule names, and rules of its own that name a group."""
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        web, data = world.group(tx, "web"), world.group(tx, "data")
        world.rule(tx, web, remote=data)
        world.rule(tx, data, protocol="tcp")
        servers = [world.server(host="h1"), world.server(host="h2")]
        for server, group in zip(servers, (web, data), strict=True):
            world.allocator(tx).allocate(server, [NicRequest(network_id=network.id)], [group.id])
        sent = {one.id: one for one in hostview.for_server(tx, servers[0].id).part.groups}
        alone = {one.id: one for one in hostview.for_server(tx, servers[1].id).part.groups}
    assert (len(sent[data.id].rules), sent[data.id].members_on) == (1, {network.id: ("10.0.0.3",)})
    assert (len(sent[web.id].rules), sent[web.id].members_on) == (1, {network.id: ("10.0.0.2",)})
    assert alone == {data.id: sent[data.id]}


def test_a_host_without_ports_has_nothing(world: World) -> None:
    with world.database.read() as tx:
        state = hostview.for_host(tx, "h1")
    assert (state.networks, state.ports, state.groups) == ((), (), ())


def test_servers_show_their_addresses_and_groups(world: World) -> None:
    server, bare = world.server(), world.server()
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        world.subnet(tx, network, "fd00::/64", ("fd00::2", "fd00::ffff"))
        group = ensure_default_group(tx, "p1", ids=world.ids, now=NOW)
        (port,) = world.allocator(tx).allocate(server, [NicRequest(network_id=network.id)], [group.id])
        shown = addresses.for_servers(tx, [server.id, bare.id])
        names = addresses.group_names(tx, [server.id, bare.id])
    assert [(one.network, one.address, one.version, one.mac) for one in shown[server.id]] == [
        ("net", "10.0.0.2", 4, port.mac),
        ("net", "fd00::2", 6, port.mac),
    ]
    assert (shown[bare.id], names) == ([], {server.id: ["default"], bare.id: []})


def test_the_default_group_is_made_once(world: World) -> None:
    with world.database.write() as tx:
        first = ensure_default_group(tx, "p1", ids=world.ids, now=NOW)
        assert ensure_default_group(tx, "p1", ids=world.ids, now=NOW) == first
        assert len(security_groups.rules_of(tx, [first.id])[first.id]) == 4
