"""One network on several hosts, and one range in several networks: real tunnels, routers and guests, on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kilonova.domain.hostnet import HostNetwork, PortSpec
from tests.netparts import port, share, tunnelled
from tests.system.netlab import Guest, Lab, Node

METADATA = "169.254.169.254"


@pytest.fixture
def wired() -> Iterator[Lab]:
    lab = Lab()
    yield lab
    lab.close()


@pytest.fixture
def nodes(wired: Lab, tmp_path: Path) -> Iterator[list[Node]]:
    made = wired.nodes(2, tmp_path)
    yield made
    for node in made:
        node.purge()


def told(*ports: PortSpec, on: tuple[Node, ...], generation: int = 1, range_of: int = 1) -> HostNetwork:
    """What a host is told of these ports, on networks that are on these hosts."""
    tunnels = tuple(node.address for node in on)
    numbers = sorted({int(one.network_id[1:]) for one in ports})
    its = tuple(tunnelled(n, *tunnels, range_of=range_of, generation=generation) for n in numbers)
    return msgspec.structs.replace(share(*ports), networks=its)


def guest_on(lab: Lab, node: Node, one: PortSpec) -> Guest:
    guest = lab.guest(one, node.space)
    guest.configure()
    return guest


@pytest.fixture
def pair(wired: Lab, nodes: list[Node]) -> tuple[Guest, Guest]:
    """Two guests of one network, open to each other, on a host each."""
    ports = (port(5, "open"), port(6, "open"))
    for node, one in zip(nodes, ports, strict=True):
        node.merge(told(one, on=tuple(nodes)))
    first, second = (guest_on(wired, node, one) for node, one in zip(nodes, ports, strict=True))
    return first, second


def test_guests_on_two_hosts_reach_each_other(pair: tuple[Guest, Guest]) -> None:
    one, other = pair
    assert one.pings(other.address)
    with other.listen(80):
        assert one.reaches(other.address, 80)


def test_each_host_serves_its_own_guests(wired: Lab, nodes: list[Node], tmp_path: Path) -> None:
    ports = (port(5, "open"), port(6, "open"))
    for node, one in zip(nodes, ports, strict=True):
        node.merge(told(one, on=tuple(nodes)))
    for node, one in zip(nodes, ports, strict=True):
        guest = wired.guest(one, node.space)
        lease = guest.lease(tmp_path)
        assert (lease["ip"], lease["router"], lease["mtu"]) == (guest.address, "10.77.1.1", "1450")
        assert guest.get(METADATA, "/latest/meta-data/hostname") == (200, f"{one.server_id}.novalocal".encode())
        assert guest.pings("10.77.1.1")
        assert guest.pings("203.0.113.254")
