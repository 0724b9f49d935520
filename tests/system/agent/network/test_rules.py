"""Who reaches whom, and who may say what."""

from __future__ import annotations

import socket
import struct

import msgspec
import pytest

from kilonova.agent.network.host import LinuxHostNetwork
from kilonova.domain.hostnet import HostNetwork, PortSpec, RuleSpec, ShareChange
from tests.netparts import CLOSED, SIX, SSH, SUBNET6, WITH_SSH, network, port, share
from tests.system.netlab import (
    BROADCAST,
    PATIENCE_S,
    REFUSED_S,
    Gateways,
    Lab,
    Plug,
    arp_reply,
    frame,
    icmp6,
    received,
    udp,
)


def test_groups_decide_who_reaches_whom(plug: Plug) -> None:
    friend, other, closed = plug(port(5, "default"), port(6, "default"), port(7, "closed"))
    with friend.listen(80), other.listen(80), closed.listen(80):
        assert friend.reaches(other.address, 80)
        assert other.reaches(friend.address, 80)
        assert not friend.reaches(closed.address, 80)
        assert not closed.reaches(friend.address, 80)
    assert friend.pings(other.address)
    assert not friend.pings(closed.address)


def test_the_host_is_judged_as_anybody_is(gateways: Gateways, plug: Plug) -> None:
    with_ssh, closed = plug(port(5, "default", "ssh"), port(6, "default"))
    with with_ssh.listen(22), with_ssh.listen(23), closed.listen(22):
        assert gateways(1).reaches(with_ssh.address, 22)
        assert not gateways(1).reaches(with_ssh.address, 23)
        assert not gateways(1).reaches(closed.address, 22)


def test_a_changed_group_holds_at_once(gateways: Gateways, host: LinuxHostNetwork, plug: Plug) -> None:
    (guest,) = plug(port(5, "closed"))
    with guest.listen(22):
        assert not gateways(1).reaches(guest.address, 22)
        opened = msgspec.structs.replace(CLOSED, rules=(*CLOSED.rules, SSH))
        host.merge(share(port(5, "closed"), groups=(opened,)))
        assert gateways(1).reaches(guest.address, 22)
        host.merge(share(port(5, "closed")))
        assert not gateways(1).reaches(guest.address, 22)


def test_a_revoked_rule_ends_the_flows_it_let_through(host: LinuxHostNetwork, plug: Plug) -> None:
    one, other = plug(port(5, "open"), port(6, "default", "open"))
    with one.socket(socket.AF_INET, socket.SOCK_STREAM) as client, other.listen(80) as listener:
        client.settimeout(PATIENCE_S)
        client.connect((other.address, 80))
        server, _ = listener.accept()
        with server:
            server.settimeout(PATIENCE_S)
            client.sendall(b"before")
            assert server.recv(99) == b"before"
            host.merge(share(port(6, "default")))
            client.sendall(b"after")
            server.settimeout(REFUSED_S)
            with pytest.raises(TimeoutError):
                server.recv(99)


def test_a_port_without_rules_is_silent(plug: Plug) -> None:
    silent, friend = plug(port(5), port(6, "open"))
    with friend.listen(80):
        assert not silent.reaches(friend.address, 80)


def test_networks_do_not_reach_each_other(plug: Plug) -> None:
    one, other = plug(port(5, "open"), port(5, "open", net=2))
    with other.listen(80):
        assert not one.reaches(other.address, 80)
        assert not one.pings(other.address)


def test_a_guest_sends_as_itself_or_not_at_all(plug: Plug) -> None:
    liar, witness = plug(port(5, "open"), port(6, "open"))
    mac, target = liar.port.mac, witness.port.mac
    other = "02:00:00:00:66:66"
    lies = [
        udp((other, target), ("10.77.1.5", "10.77.1.6"), (9, 9), b"lie: MAC"),
        udp((mac, target), ("10.77.1.7", "10.77.1.6"), (9, 9), b"lie: address"),
        udp((mac, target), ("10.77.1.1", "10.77.1.6"), (9, 9), b"lie: gateway"),
        udp((mac, BROADCAST), ("10.77.1.5", "255.255.255.255"), (67, 68), b"lie: DHCP server"),
        arp_reply((mac, "10.77.1.1"), mac),
        arp_reply((other, "10.77.1.5"), mac),
        arp_reply((other, "10.77.1.5"), other),
        frame(mac, target, 0x88CC, b"lie: another protocol"),
        frame(mac, target, 0x8100, b"\0\1\x08\0lie: a VLAN"),
    ]
    with liar.raw() as sender, witness.raw() as receiver:
        for lie in lies:
            sender.send(lie)
        sender.send(udp((mac, target), ("10.77.1.5", "10.77.1.6"), (9, 9), b"the truth"))
        got = received(receiver, b"the truth")
    assert [packet for packet in got if packet in lies or b"lie" in packet] == []
    with liar.raw() as sender, witness.raw() as receiver:
        sender.send(arp_reply((mac, "10.77.1.5"), mac))
        assert arp_reply((mac, "10.77.1.5"), mac) in received(receiver, b"\0\2" + bytes.fromhex(mac.replace(":", "")))


def six(*ports: PortSpec) -> HostNetwork:
    state = share(*ports, groups=(SIX, CLOSED))
    return msgspec.structs.replace(state, networks=(network(subnets=(*network().subnets, SUBNET6)),))


def test_groups_and_the_host_in_ipv6(lab: Lab, gateways: Gateways, host: LinuxHostNetwork) -> None:
    ports = [
        port(n, group, addresses=(f"10.77.1.{n}", f"fd00:77::{n}"))
        for n, group in ((5, "six"), (6, "six"), (7, "closed"))
    ]
    host.merge(six(*ports))
    one, other, _ = guests = [lab.guest(each) for each in ports]
    for guest in guests:
        guest.configure()
    assert one.pings("fd00:77::6")
    assert not one.pings("fd00:77::7")
    assert other.pings("fd00:77::1")
    assert not gateways(1).pings("fd00:77::6")


def test_nobody_but_the_host_is_a_router_and_nobody_answers_for_another(lab: Lab, host: LinuxHostNetwork) -> None:
    ports = [port(n, "six", addresses=(f"10.77.1.{n}", f"fd00:77::{n}")) for n in (5, 6)]
    host.merge(six(*ports))
    liar, witness = [lab.guest(each) for each in ports]
    mac, all_nodes = liar.port.mac, ("fe80::ff:fe00:105", "ff02::1")
    macs = (mac, "33:33:00:00:00:01")
    gateway = icmp6(macs, all_nodes, struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0))
    lie = icmp6(
        macs, all_nodes, struct.pack("!BBHI", 136, 0, 0, 0x20000000) + socket.inet_pton(socket.AF_INET6, "fd00:77::1")
    )
    truth = icmp6(
        macs, all_nodes, struct.pack("!BBHI", 136, 0, 0, 0x20000000) + socket.inet_pton(socket.AF_INET6, "fd00:77::5")
    )
    with liar.raw() as sender, witness.raw() as receiver:
        for packet in (gateway, lie, truth):
            sender.send(packet)
        got = received(receiver, truth)
    assert gateway not in got
    assert lie not in got


def test_a_port_without_port_security_may_lie(plug: Plug) -> None:
    free, witness = plug(port(5, "open", port_security=False), port(6, "open"))
    with free.raw() as sender, witness.raw() as receiver:
        sender.send(udp((free.port.mac, witness.port.mac), ("10.77.1.77", "10.77.1.6"), (9, 9), b"not my address"))
        received(receiver, b"not my address")


def test_an_allowed_address_pair_may_be_used_by_several(plug: Plug) -> None:
    pair = ("10.77.1.100/32", "")
    one, other = plug(port(5, "default", allowed_pairs=(pair,)), port(6, "default", allowed_pairs=(pair,)))
    other.run("ip", "addr", "add", "10.77.1.100/24", "dev", "eth0")
    with other.listen(80):
        assert one.reaches("10.77.1.100", 80)


def test_a_port_that_is_down_neither_sends_nor_receives(host: LinuxHostNetwork, plug: Plug) -> None:
    one, other = plug(port(5, "open"), port(6, "open"))
    with other.listen(80):
        assert one.reaches(other.address, 80)
        host.merge(share(port(6, "open", admin_up=False)))
        assert not one.reaches(other.address, 80)
        assert not other.pings("10.77.1.1")


def test_a_network_that_is_down_carries_nothing_until_it_is_up_again(host: LinuxHostNetwork, plug: Plug) -> None:
    one, other = plug(port(5, "open"), port(6, "open"))
    with other.listen(80):
        for generation, is_up in ((1, False), (2, True)):
            changed = network(admin_up=is_up, generation=generation)
            assert host.change(ShareChange(id=changed.id, generation=generation, network=changed))
            assert one.reaches(other.address, 80) is is_up
            assert one.pings("10.77.1.1") is is_up


@pytest.mark.parametrize(("group", "hears"), [("open", True), ("closed", False)])
def test_a_flooded_packet_meets_the_receivers_rules(plug: Plug, group: str, hears: bool) -> None:
    sender, receiver = plug(port(5, "open"), port(6, group))
    macs = (sender.port.mac, "01:00:5e:00:00:12")
    with sender.raw() as frames, receiver.raw() as heard:
        frames.send(udp(macs, ("10.77.1.5", "224.0.0.18"), (9, 9), b"to the group"))
        frames.send(arp_reply((sender.port.mac, "10.77.1.5"), sender.port.mac))
        got = received(heard, b"\x08\x06\0\1\x08\0\6\4\0\2")
    assert any(b"to the group" in packet for packet in got) is hears


def test_a_session_outlives_a_rule_that_it_does_not_need(host: LinuxHostNetwork, plug: Plug) -> None:
    """Also when the end that was called speaks next: its packet would begin nothing that the rules know."""
    echo = RuleSpec(id="echo", direction="ingress", ethertype="IPv4", protocol="icmp")
    client, server = plug(port(5, "closed"), port(6, "ssh"))
    more, less = (msgspec.structs.replace(WITH_SSH, rules=(*WITH_SSH.rules, *extra)) for extra in ((echo,), ()))
    host.update(HostNetwork(groups=(more,)))
    with server.listen(22) as listener, client.socket(socket.AF_INET, socket.SOCK_STREAM) as session:
        session.settimeout(5)
        session.connect((server.address, 22))
        connection, _ = listener.accept()
        with connection:
            host.update(HostNetwork(groups=(less,)))
            connection.sendall(b"still there")
            assert session.recv(100) == b"still there"
