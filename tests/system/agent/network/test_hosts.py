"""One network on several hosts: real tunnels, gateways and guests, on one machine."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec

from kilonova.agent.network.names import tunnel_name
from kilonova.domain.hostnet import GroupSpec, HostNetwork, bridge_name
from kilonova.domain.reach import GuestReach
from tests.netparts import CLOSED, DEFAULT, SIX, SUBNET6, network, port, tunnelled
from tests.system.netlab import BROADCAST, arp_reply, received, udp
from tests.system.nodes import OUTSIDE, Fleet, Node, told

METADATA = "169.254.169.254"


def test_guests_on_all_hosts_reach_each_other(fleet: Fleet, nodes: list[Node]) -> None:
    one, two, three = fleet.guests(*(port(n, "open") for n in (5, 6, 7)))
    for source, target in ((one, two), (two, three), (three, one)):
        assert source.pings(target.address)
        with target.listen(80):
            assert source.reaches(target.address, 80)


def test_each_host_serves_its_own_guests(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    ports = (port(5, "open"), port(6, "open"))
    for node, one in zip(nodes, ports, strict=False):
        node.merge(told(one, on=nodes[:2]))
    for node, one in zip(nodes, ports, strict=False):
        guest = fleet.lab.guest(one, node.space)
        lease = guest.lease(tmp_path)
        assert (lease["ip"], lease["router"], lease["mtu"]) == (guest.address, "10.77.1.1", "1450")
        assert guest.get(METADATA, "/latest/meta-data/hostname") == (200, f"{one.server_id}.novalocal".encode())
        assert guest.pings("10.77.1.1")


def test_each_host_serves_guests_without_any_rules(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    nodes[0].merge(told(port(5), on=nodes))
    guest = fleet.lab.guest(port(5), nodes[0].space)
    assert guest.lease(tmp_path)["ip"] == "10.77.1.5"
    assert guest.get(METADATA, "/latest/meta-data/hostname")[0] == 200
    assert not guest.pings(OUTSIDE)


def test_full_packets_pass_the_tunnel(fleet: Fleet, nodes: list[Node]) -> None:
    one, two = fleet.guests(port(5, "open"), port(6, "open"))
    for guest in (one, two):
        guest.run("ip", "link", "set", "eth0", "mtu", "1450")
    with two.listen(80) as listener, one.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect((two.address, 80))
        connection, _ = listener.accept()
        with connection:
            client.sendall(b"x" * 200_000)
            client.shutdown(socket.SHUT_WR)
            assert len(b"".join(iter(lambda: connection.recv(1 << 16), b""))) == 200_000


def test_guests_reach_the_outside_in_their_own_hosts_name(fleet: Fleet, nodes: list[Node]) -> None:
    pair = fleet.guests(port(5, "open"), port(6, "open"))
    for guest, node in zip(pair, nodes, strict=False):
        with fleet.wire.listen(80) as listener, guest.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect((OUTSIDE, 80))
            connection, (peer, _) = listener.accept()
            connection.close()
        assert peer == node.address


def test_guests_reach_nothing_of_any_host_but_their_services(fleet: Fleet, nodes: list[Node]) -> None:
    guest, _ = fleet.guests(port(5, "open"), port(6, "open"))
    with nodes[0].space.listen(8000):
        assert not guest.reaches(nodes[0].address, 8000)
        assert not guest.reaches("10.77.1.1", 8000)
    assert not guest.pings(nodes[0].address)
    with nodes[1].space.listen(8000):
        nodes[0].update(HostNetwork(reach=GuestReach(closed=tuple(f"{node.address}/32" for node in nodes))))
        assert not guest.reaches(nodes[1].address, 8000)
        with fleet.wire.listen(8000):
            assert guest.reaches(OUTSIDE, 8000)


def test_gateways_and_dhcp_stay_out_of_the_tunnel(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    one, two = fleet.guests(port(5, "open"), port(6, "open"))
    tunnel = tunnel_name(bridge_name("n1"))
    with nodes[1].space.raw(tunnel) as heard:
        assert one.pings("10.77.1.1")
        one.lease(tmp_path)
        one.run("ip", "neigh", "flush", "dev", "eth0")
        assert one.get(METADATA, "/latest/meta-data/hostname")[0] == 200
        with one.raw() as sender:
            sender.send(udp((one.port.mac, BROADCAST), ("10.77.1.5", "10.77.1.255"), (9, 9), b"the last"))
        got = received(heard, b"the last")
    gateway_bytes = socket.inet_aton("10.77.1.1")
    assert [frame for frame in got if frame[12:14] == b"\x08\x06" and gateway_bytes in frame] == []
    assert [frame for frame in got if frame[12:14] == b"\x08\x00" and frame[36:38] in (b"\0\x43", b"\0\x44")] == []
    assert two.pings("10.77.1.1")


def test_a_host_takes_no_gateway_from_a_tunnel(fleet: Fleet, nodes: list[Node]) -> None:
    """Should another host let one through: its own firewall is out of the way here."""
    _, two = fleet.guests(port(5, "open"), port(6, "open"))
    nodes[0].space.run("nft", "flush", "ruleset")
    tunnel, liar = tunnel_name(bridge_name("n1")), "02:00:00:00:66:66"
    with nodes[0].space.raw(tunnel) as sender, two.raw() as witness:
        sender.send(arp_reply((liar, "10.77.1.1"), liar))
        sender.send(udp((liar, BROADCAST), ("10.77.1.1", "255.255.255.255"), (67, 68), b"lie: DHCP"))
        sender.send(arp_reply((liar, "10.77.1.9"), liar))
        got = received(witness, socket.inet_aton("10.77.1.9"))
    assert [frame for frame in got if b"lie" in frame or socket.inet_aton("10.77.1.1") in frame] == []


def test_rules_with_a_remote_group_hold_across_hosts(fleet: Fleet, nodes: list[Node]) -> None:
    friends = GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n1": ("10.77.1.5", "10.77.1.6")})
    ports = (port(5, "default"), port(6, "default"), port(7, "closed"))
    for node, one in zip(nodes, ports, strict=True):
        node.merge(msgspec.structs.replace(told(one, on=nodes), groups=(friends, CLOSED)))
    friend, target, stranger = (fleet.guest(node, one) for node, one in zip(nodes, ports, strict=True))
    with target.listen(80), stranger.listen(80):
        assert friend.reaches(target.address, 80)
        assert not stranger.reaches(target.address, 80)
        assert not friend.reaches(stranger.address, 80)
        alone = msgspec.structs.replace(friends, members_on={"n1": ("10.77.1.6",)})
        nodes[1].update(HostNetwork(groups=(alone,)))
        assert not friend.reaches(target.address, 80)


def test_a_guest_is_itself_across_hosts_too(fleet: Fleet, nodes: list[Node]) -> None:
    liar, witness = fleet.guests(port(5, "open"), port(6, "open"))
    mac, target = liar.port.mac, witness.port.mac
    lies = [
        udp(("02:00:00:00:66:66", target), ("10.77.1.5", "10.77.1.6"), (9, 9), b"lie: MAC"),
        udp((mac, target), ("10.77.1.7", "10.77.1.6"), (9, 9), b"lie: address"),
        arp_reply((mac, "10.77.1.7"), mac),
    ]
    with liar.raw() as sender, witness.raw() as receiver:
        for lie in lies:
            sender.send(lie)
        sender.send(udp((mac, target), ("10.77.1.5", "10.77.1.6"), (9, 9), b"the truth"))
        got = received(receiver, b"the truth")
    assert [packet for packet in got if packet in lies or b"lie" in packet] == []


def test_six_works_across_hosts(fleet: Fleet, nodes: list[Node]) -> None:
    members = {"n1": ("fd00:77::5", "fd00:77::6")}
    both = tunnelled(1, nodes[0].address, nodes[1].address, subnets=(*network(1).subnets, SUBNET6))
    ports = [port(n, "six", addresses=(f"10.77.1.{n}", f"fd00:77::{n}")) for n in (5, 6)]
    for node, one in zip(nodes, ports, strict=False):
        groups = (msgspec.structs.replace(SIX, members_on=members),)
        node.merge(HostNetwork(networks=(both,), ports=(one,), groups=groups))
    one, two = (fleet.guest(node, its) for node, its in zip(nodes, ports, strict=False))
    assert one.pings("fd00:77::6")
    assert one.pings("fd00:77::1")
    assert two.pings("fd00:77::1")


def vxlan(vni: int, inner: bytes) -> bytes:
    return b"\x08\0\0\0" + vni.to_bytes(3, "big") + b"\0" + inner


def test_only_hosts_of_the_network_are_heard_in_its_tunnel(fleet: Fleet, nodes: list[Node]) -> None:
    one, two = fleet.guests(port(5, "open"), port(6, "open"))
    macs, ends = (one.port.mac, two.port.mac), (one.address, two.address)
    with two.raw() as heard, fleet.wire.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(vxlan(101, udp(macs, ends, (9, 9), b"lie: not a host")), (nodes[1].address, 4789))
        with one.raw() as sender:
            sender.send(udp(macs, ends, (9, 9), b"the truth"))
        got = received(heard, b"the truth")
    assert [frame for frame in got if b"lie" in frame] == []


def test_a_guest_cannot_speak_in_its_hosts_name(fleet: Fleet, nodes: list[Node]) -> None:
    one, two = fleet.guests(port(5, "open"), port(6, "open"))
    macs = (one.port.mac, two.port.mac)
    with two.raw() as heard, one.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
        liar.sendto(vxlan(101, udp(macs, ("10.77.1.9", two.address), (9, 9), b"lie")), (nodes[1].address, 4789))
        with one.raw() as sender:
            sender.send(udp(macs, (one.address, two.address), (9, 9), b"the truth"))
        got = received(heard, b"the truth")
    assert [frame for frame in got if b"lie" in frame] == []
