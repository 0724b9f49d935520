"""What guests reach beyond their networks: the outside, and nothing of the operator's own but what is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from kilonova.agent.network import machine
from kilonova.agent.network.host import LinuxHostNetwork
from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.reach import GuestReach
from tests.netparts import SIX, SUBNET6, network, port, share, tunnelled
from tests.system.netlab import Guest, Lab, Space, run

BROKER, ELSEWHERE = "198.51.100.2", "198.51.100.3"
Told = Callable[..., None]


@pytest.fixture
def outside(lab: Lab) -> Space:
    """Beyond the machine: the operator's broker, and somebody else."""
    space = lab.outside()
    space.run("ip", "addr", "add", f"{ELSEWHERE}/24", "dev", "eth0")
    return space


@pytest.fixture(params=["flat", "vxlan"])
def guest(request: pytest.FixtureRequest, lab: Lab, outside: Space, host: LinuxHostNetwork) -> Guest:
    """A guest of a network of each kind."""
    its = network(1) if request.param == "flat" else tunnelled(1)
    host.merge(msgspec.structs.replace(share(port(5, "open")), networks=(its,)))
    guest = lab.guest(port(5, "open"))
    guest.configure()
    return guest


@pytest.fixture
def told(host: LinuxHostNetwork) -> Told:
    """Tell the host what is closed and opened."""

    def tell(*closed: str, opened: tuple[str, ...] = ()) -> None:
        host.update(HostNetwork(reach=GuestReach(closed=closed, opened=opened)))

    return tell


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The machine asks the broker for names, too."""
    (tmp_path / "resolv.conf").write_text(f"nameserver {BROKER}\n")
    monkeypatch.setattr(machine, "_RESOLV_CONF", tmp_path / "resolv.conf")


@pytest.fixture
def containers(lab: Lab) -> Space:
    """172.17.0.2, on a bridge of the machine's own."""
    space = lab.space("box")
    run("ip", "link", "add", "box0", "type", "veth", "peer", "name", "eth0", "netns", space.name)
    run("ip", "addr", "add", "172.17.0.1/16", "dev", "box0")
    run("ip", "link", "set", "box0", "up")
    space.run("ip", "addr", "add", "172.17.0.2/16", "dev", "eth0")
    space.run("ip", "link", "set", "eth0", "up")
    space.run("ip", "route", "add", "default", "via", "172.17.0.1")
    return space


def test_the_broker_is_closed_until_it_is_opened(guest: Guest, outside: Space, told: Told) -> None:
    with outside.listen(5672), outside.listen(15672):
        told(f"{BROKER}/32")
        assert not guest.reaches(BROKER, 5672)
        assert guest.reaches(ELSEWHERE, 5672)
        told(f"{BROKER}/32", opened=(f"{BROKER}:5672",))
        assert guest.reaches(BROKER, 5672)
        assert not guest.reaches(BROKER, 15672)
        told("198.51.100.0/24", opened=(f"{ELSEWHERE}/32",))
        assert not guest.reaches(BROKER, 5672)
        assert guest.reaches(ELSEWHERE, 15672)


def test_what_is_closed_is_closed_to_flows_that_are_there(guest: Guest, outside: Space, told: Told) -> None:
    with outside.listen(5672) as listener, guest.socket(2, 1) as client:
        client.settimeout(5)
        client.connect((BROKER, 5672))
        connection, _ = listener.accept()
        with connection:
            told(f"{BROKER}/32")
            client.sendall(b"still there?")
            connection.settimeout(0.7)
            with pytest.raises(TimeoutError):
                connection.recv(100)


def test_every_address_of_the_machine_is_closed_also_one_that_comes(guest: Guest, lab: Lab, told: Told) -> None:
    run("ip", "addr", "add", "192.0.2.77/32", "dev", "lo")
    with lab.host.listen(8774):
        for address in ("192.0.2.77", "198.51.100.1", "198.18.0.2", "10.77.1.1"):
            assert not guest.reaches(address, 8774)
        assert not guest.pings("192.0.2.77")
        told(opened=("192.0.2.77:8774",))
        assert guest.reaches("192.0.2.77", 8774)
        assert not guest.reaches("198.51.100.1", 8774)
        assert not guest.pings("192.0.2.77")


def test_what_is_beside_the_machine_is_no_outside(
    guest: Guest, containers: Space, host: LinuxHostNetwork, told: Told
) -> None:
    """The bridge came after the guest: the machine is looked at now and then."""
    with containers.listen(5672):
        host.tend()
        assert not guest.reaches("172.17.0.2", 5672)
        told(opened=("172.17.0.0/16:5672",))
        assert guest.reaches("172.17.0.2", 5672)


def test_a_port_that_the_machine_publishes_is_its_own(guest: Guest, containers: Space, outside: Space) -> None:
    run("nft", "add table ip published")
    run("nft", "add chain ip published to { type nat hook prerouting priority dstnat; }")
    run("nft", "add rule ip published to tcp dport 8080 dnat to 172.17.0.2:80")
    with containers.listen(80):
        assert outside.reaches("198.51.100.1", 8080)
        assert not guest.reaches("198.51.100.1", 8080)


@pytest.mark.parametrize("address", ["169.254.7.7", "100.64.0.9", "192.0.0.9", "198.19.0.9", "240.0.0.9"])
def test_reserved_ranges_are_closed_though_the_machine_leads_there(
    lab: Lab, outside: Space, host: LinuxHostNetwork, address: str
) -> None:
    host.merge(share(port(5, "open")))
    guest = lab.guest(port(5, "open"))
    guest.configure()
    outside.run("ip", "addr", "add", f"{address}/32", "dev", "lo")
    with outside.listen(80):
        assert not guest.reaches(address, 80)
        host.update(HostNetwork(reach=GuestReach(opened=(address,))))
        assert guest.reaches(address, 80) or address.startswith("240")


def test_of_the_machines_name_servers_dns_is_open(name_server: None, guest: Guest, outside: Space, told: Told) -> None:
    """The networks' DNS asks them, through the gateway, as guests may."""
    told(f"{BROKER}/32")
    with outside.listen(53), outside.listen(80):
        assert guest.reaches(BROKER, 53)
        assert not guest.reaches(BROKER, 80)


def test_in_ipv6_there_is_no_way_to_the_machine(lab: Lab, outside: Space, host: LinuxHostNetwork) -> None:
    its = port(5, "six", addresses=("10.77.1.5", "fd00:77::5"))
    state = share(its, groups=(SIX,))
    host.merge(msgspec.structs.replace(state, networks=(network(subnets=(*network().subnets, SUBNET6)),)))
    run("ip", "addr", "add", "2001:db8::1/64", "dev", "up0", "nodad")
    guest = lab.guest(its)
    guest.configure()
    guest.run("ip", "-6", "route", "add", "default", "via", "fd00:77::1")
    assert guest.pings("fd00:77::1")
    assert not guest.pings("2001:db8::1")


def test_a_host_remembers_what_it_was_told(guest: Guest, outside: Space, told: Told, host: LinuxHostNetwork) -> None:
    told(f"{BROKER}/32")
    host.remove_server("nobody")
    host.merge(share(port(6, "open"), networks=()))
    host.resume()
    with outside.listen(5672):
        assert not guest.reaches(BROKER, 5672)
