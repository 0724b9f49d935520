"""A host whose networking is under test, in a network namespace of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.agent.network.host import HostNetworkSettings, LinuxHostNetwork
from kilonova.domain.hostnet import PortSpec, bridge_name
from tests.netparts import guest_data, share
from tests.system.netlab import Gateways, Guest, Lab, Plug, Space
from tests.system.nodes import Fleet, Node


@pytest.fixture
def lab() -> Iterator[Lab]:
    lab = Lab()
    with lab.host.inside():
        yield lab
    lab.close()


@pytest.fixture
def passwords() -> list[tuple[str, bytes]]:
    return []


@pytest.fixture
def settings(lab: Lab, tmp_path: Path) -> HostNetworkSettings:
    return HostNetworkSettings(data_dir=tmp_path / "network")


@pytest.fixture
def host(settings: HostNetworkSettings, passwords: list[tuple[str, bytes]]) -> Iterator[LinuxHostNetwork]:
    host = LinuxHostNetwork(settings, guest_data, lambda server, password: passwords.append((server, password)))
    yield host
    host.purge()


@pytest.fixture
def gateways(settings: HostNetworkSettings) -> Gateways:
    """The gateway's namespace of a network, by the network's number: the way from the machine to guests."""
    return lambda number: Space(f"{bridge_name(f'n{number}')}-{settings.tag()}")


@pytest.fixture
def plug(lab: Lab, host: LinuxHostNetwork) -> Plug:
    """Merge ports, and have a guest at each, with its address."""

    def plugged(*ports: PortSpec) -> list[Guest]:
        host.merge(share(*ports))
        guests = [lab.guest(port) for port in ports]
        for guest in guests:
            guest.configure()
        return guests

    return plugged


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """Three hosts on a wire; the test is on none of them."""
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.close()


@pytest.fixture
def nodes(fleet: Fleet) -> list[Node]:
    return fleet.nodes
