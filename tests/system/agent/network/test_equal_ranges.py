"""Networks of one range, kept apart on one host and across several."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kilonova.domain.hostnet import GroupSpec, PortSpec
from tests.netparts import DEFAULT, OPEN, port
from tests.system.netlab import arp_reply, received, udp
from tests.system.nodes import OUTSIDE, Fleet, Node, told

METADATA = "169.254.169.254"


def twins(number: int, *groups: str) -> tuple[PortSpec, PortSpec]:
    """Ports of one address on networks 1 and 2."""
    first = port(number, *groups)
    return first, port(number, *groups, net=2, addresses=first.addresses)


def test_equal_ranges_are_apart_on_one_host(fleet: Fleet, nodes: list[Node], tmp_path: Path) -> None:
    here, there = twins(5, "open"), twins(6, "open")
    nodes[0].merge(told(*here, *there, on=nodes[:1], range_of=1))
    one, other = (fleet.guest(nodes[0], each) for each in here)
    target, decoy = (fleet.guest(nodes[0], each) for each in there)
    with target.listen(80):
        assert one.reaches("10.77.1.6", 80)
        assert not other.reaches("10.77.1.6", 80)
        with decoy.listen(80):
            assert other.reaches("10.77.1.6", 80)
    for guest in (one, other):
        assert guest.lease(tmp_path)["ip"] == "10.77.1.5"
        hostname = f"{guest.port.server_id}.novalocal".encode()
        assert guest.get(METADATA, "/latest/meta-data/hostname") == (200, hostname)
        with fleet.wire.listen(80):
            assert guest.reaches(OUTSIDE, 80)


def test_flows_of_equal_addresses_do_not_let_each_other_in(fleet: Fleet, nodes: list[Node]) -> None:
    """The same five numbers on both networks: what is established on one is unknown on the other."""
    here = twins(5, "open")
    closed = port(6, "closed", net=2, addresses=("10.77.1.6",))
    nodes[0].merge(told(*here, port(6, "open"), closed, on=nodes[:1], range_of=1))
    one, twin = (fleet.guest(nodes[0], each) for each in here)
    target, witness = fleet.guest(nodes[0], port(6, "open")), fleet.guest(nodes[0], closed)
    ends, ports = ("10.77.1.5", "10.77.1.6"), (4000, 4001)
    back = udp((target.port.mac, one.port.mac), ends[::-1], ports[::-1], b"yes")
    with one.raw() as first, target.raw() as second:
        first.send(udp((one.port.mac, target.port.mac), ends, ports, b"hello"))
        received(second, b"hello")
        second.send(back)
        received(first, b"yes")
    with twin.raw() as sender, witness.raw() as heard:
        sender.send(udp((twin.port.mac, witness.port.mac), ends, ports, b"lie"))
        sender.send(arp_reply((twin.port.mac, "10.77.1.5"), twin.port.mac))
        got = received(heard, b"\x08\x06\0\1\x08\0\6\4\0\2")
    assert [frame for frame in got if b"lie" in frame] == []


def test_equal_ranges_are_apart_across_hosts(fleet: Fleet, nodes: list[Node]) -> None:
    here, there = twins(5, "open"), twins(6, "open")
    nodes[0].merge(told(*here, on=nodes[:2], range_of=1))
    nodes[1].merge(told(*there, on=nodes[:2], range_of=1))
    one, other = (fleet.guest(nodes[0], each) for each in here)
    target = fleet.guest(nodes[1], there[0])
    with target.listen(80):
        assert one.reaches("10.77.1.6", 80)
        assert not other.reaches("10.77.1.6", 80)


def test_a_member_of_a_group_is_nobody_on_another_network_of_its_range(fleet: Fleet, nodes: list[Node]) -> None:
    friends = GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n2": ("10.77.1.5",)})
    stranger, mine = port(5, "open"), port(6, "default")
    state = told(stranger, mine, on=nodes[:1])
    nodes[0].merge(msgspec.structs.replace(state, groups=(friends, OPEN)))
    one, target = (fleet.guest(nodes[0], each) for each in (stranger, mine))
    with target.listen(80):
        assert not one.reaches(target.address, 80)


def test_a_tunnelled_network_may_have_the_machines_own_range(fleet: Fleet, nodes: list[Node]) -> None:
    """What a flat network may not: its routes are not the machine's."""
    nodes[0].space.run("ip", "route", "add", "10.77.1.0/24", "via", OUTSIDE)
    one, two = fleet.guests(port(5, "open"), port(6, "open"))
    assert one.pings(two.address)
