"""Hosts that share a network, over time: they come, move ports, restart and go; nothing of it stays behind."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from kilonova.agent.failure import HostFailure
from kilonova.agent.network.names import gateway_port_name, tunnel_name
from kilonova.domain.hostnet import HostNetwork, bridge_name
from tests.netparts import port
from tests.system.nodes import Fleet, Node, told
from tests.waiting import wait_until

METADATA = "169.254.169.254"


def test_a_host_that_comes_later_is_heard_once_the_others_are_told(fleet: Fleet, nodes: list[Node]) -> None:
    first, second = port(5, "open"), port(6, "open")
    nodes[0].merge(told(first, on=nodes[:1]))
    one = fleet.guest(nodes[0], first)
    nodes[1].merge(told(second, on=nodes[:2], generation=2))
    two = fleet.guest(nodes[1], second)
    assert not two.pings(one.address)
    nodes[0].update(HostNetwork(networks=told(first, on=nodes[:2], generation=2).networks))
    wait_until(lambda: two.pings(one.address), "it is heard, once its question is repeated", 5)
    nodes[0].update(HostNetwork(networks=told(first, on=nodes[:1], generation=1).networks))  # overtaken on its way
    assert two.pings(one.address)


def test_a_port_that_moves_is_found_on_its_new_host(fleet: Fleet, nodes: list[Node]) -> None:
    one, two, three = fleet.guests(*(port(n, "open") for n in (5, 6, 7)))
    neighbour = port(8, "open")
    nodes[1].merge(told(neighbour, on=nodes))  # the old host still has the network
    assert one.pings(two.address)
    nodes[1].space.run("ip", "link", "delete", two.port.tap)  # with the machine that was there
    nodes[1].remove_server(two.port.server_id)
    nodes[2].merge(told(two.port, on=nodes, generation=2))
    tunnel, old = tunnel_name(bridge_name("n1")), f"{two.port.mac} dst {nodes[1].address}"
    assert old in nodes[0].space.run("bridge", "fdb", "show", "dev", tunnel)
    for node in nodes[:2]:
        node.update(HostNetwork(networks=told(neighbour, on=nodes, generation=2).networks))
    assert old not in nodes[0].space.run("bridge", "fdb", "show", "dev", tunnel)
    moved = fleet.guest(nodes[2], two.port)
    for guest in (one, three):
        wait_until(lambda guest=guest: guest.pings(moved.address), "it is found, once the question is repeated", 5)


def test_an_agents_restart_harms_nobodys_traffic(fleet: Fleet, nodes: list[Node]) -> None:
    one, two = fleet.guests(port(5, "open"), port(6, "open"))
    devices = nodes[0].space.run("ip", "-o", "link")
    with two.listen(80) as listener, one.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect((two.address, 80))
        connection, _ = listener.accept()
        with connection:
            for node in nodes[:2]:
                node.restart()
            client.sendall(b"still there")
            assert connection.recv(100) == b"still there"
    assert nodes[0].space.run("ip", "-o", "link") == devices
    assert one.get(METADATA, "/latest/meta-data/hostname")[0] == 200
    assert nodes[0].audit() == {kind: [] for kind in nodes[0].audit()}


def test_a_hosts_reboot_brings_it_all_back(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    one, two = fleet.guests(port(5, "open"), port(6, "open"))
    kept = (nodes[0].settings.data_dir / "state.json").read_bytes()
    nodes[0].purge()
    assert not one.pings(two.address)
    (nodes[0].settings.data_dir / "state.json").write_bytes(kept)
    nodes[0].restart()
    with nodes[0].space.inside():
        subprocess.run(["ip", "link", "set", one.port.tap, "master", bridge_name("n1")], check=True)
    assert one.lease(tmp_path)["ip"] == one.address
    assert one.pings(two.address)


def test_a_half_made_namespace_is_made_whole(fleet: Fleet, nodes: list[Node]) -> None:
    name = f"{bridge_name('n1')}-{nodes[0].settings.tag()}"
    Path("/run/netns", name).touch()
    nodes[0].merge(told(port(5, "open"), on=nodes[:1]))
    assert fleet.guest(nodes[0], port(5, "open")).pings("10.77.1.1")


def test_a_namespace_that_somebody_deleted_is_made_again(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    one, two = fleet.guests(port(5, "open"), port(6, "open"))
    (name,) = spaces(nodes[0])
    subprocess.run(["ip", "netns", "delete", name], check=True)
    nodes[0].restart()
    assert one.lease(tmp_path)["ip"] == one.address
    assert one.get(METADATA, "/latest/meta-data/hostname")[0] == 200
    assert one.pings(two.address)


def spaces(node: Node) -> list[str]:
    return [path.name for path in Path("/run/netns").iterdir() if path.name.endswith(node.settings.tag())]


def test_a_servers_end_takes_its_network_along(fleet: Fleet, nodes: list[Node]) -> None:
    before = nodes[0].space.run("ip", "-o", "link")
    nodes[0].merge(told(port(5, "open"), port(5, "open", net=2), on=nodes))
    nodes[0].remove_server("server1-5")
    assert [name.partition("-")[0] for name in spaces(nodes[0])] == [bridge_name("n2")]
    assert gateway_port_name(bridge_name("n1")) not in nodes[0].space.run("ip", "-o", "link")
    nodes[0].remove_server("server2-5")
    assert spaces(nodes[0]) == []
    assert nodes[0].space.run("ip", "-o", "link") == before
    assert nodes[0].audit() == {kind: [] for kind in nodes[0].audit()}


def test_purge_leaves_nothing(fleet: Fleet, nodes: list[Node]) -> None:
    looks = (("ip", "-o", "link"), ("ip", "route"), ("nft", "list", "ruleset"))
    before = [nodes[0].space.run(*look) for look in looks]
    nodes[0].merge(told(port(5, "open"), port(5, "open", net=2), on=nodes))
    assert len(spaces(nodes[0])) == 2
    nodes[0].purge()
    assert spaces(nodes[0]) == []
    assert [nodes[0].space.run(*look) for look in looks] == before
    running = subprocess.run(
        ["pgrep", "-af", str(nodes[0].settings.run())], capture_output=True, text=True, check=False
    )
    assert running.stdout == ""


def test_a_host_that_cannot_carry_a_network_says_why(nodes: list[Node]) -> None:
    nodes[0].space.run("ip", "link", "set", "up0", "mtu", "1400")
    with pytest.raises(HostFailure, match=r"MTU of 1450 and the tunnel's 50 bytes.*MTU of 1400.*203\.0\.113\.1"):
        nodes[0].merge(told(port(5, "open"), on=nodes))
    assert spaces(nodes[0]) == []
    nodes[0].merge(told(port(5, "open"), on=nodes[:1]))  # alone it needs no tunnel
