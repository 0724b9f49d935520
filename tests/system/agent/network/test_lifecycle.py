"""A host's networking over time: crashes, restarts, refusals, removal; nothing of it stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import msgspec
import pytest

from kilonova.agent.failure import HostFailure
from kilonova.agent.network.dhcp import dhcp_pid
from kilonova.agent.network.dnsmasq import Folder
from kilonova.agent.network.host import HostNetworkSettings, LinuxHostNetwork
from kilonova.agent.network.slots import uplink_pair
from kilonova.domain.hostnet import HostNetwork, RuleSpec, bridge_name
from tests.netparts import CLOSED, guest_data, network, port, share
from tests.system.netlab import Lab, run

EMPTY: dict[str, list[str]] = {"taps": [], "bridges": [], "rules": [], "dhcp": [], "tunnels": [], "namespaces": []}


def restarted(settings: HostNetworkSettings) -> LinuxHostNetwork:
    return LinuxHostNetwork(settings, guest_data, lambda _server, _password: None)


def dhcp_of(settings: HostNetworkSettings, number: int = 1) -> Folder:
    return Folder(settings.run() / bridge_name(f"n{number}"))


def world() -> list[object]:
    """What there is of devices, rules, routes, settings and DHCP servers in this namespace; not whether a link has carrier."""
    servers = subprocess.run(
        ["pgrep", "--ns", str(os.getpid()), "--nslist", "net", "-a", "dnsmasq"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return [
        [(link["ifname"], link["mtu"], link["address"]) for link in json.loads(run("ip", "-j", "link"))],
        [(route["dst"], route["dev"]) for route in json.loads(run("ip", "-j", "route"))],
        Path("/proc/sys/net/ipv4/ip_forward").read_text(),
        run("nft", "list", "ruleset"),
        servers.stdout,
    ]


def test_purge_leaves_nothing(lab: Lab, settings: HostNetworkSettings) -> None:
    before = world()
    host = restarted(settings)
    host.merge(share(port(5, "default"), port(5, "default", net=2)))
    assert world() != before
    host.purge()
    assert world() == before
    assert not settings.run().exists()
    assert list(settings.data_dir.iterdir()) == []


def test_the_same_again_changes_nothing(settings: HostNetworkSettings, host: LinuxHostNetwork) -> None:
    host.merge(share(port(5, "default")))
    before = world()
    host.merge(share(port(5, "default")))
    host.replace(share(port(5, "default")))
    assert world() == before


def test_a_servers_end_takes_its_network_along(settings: HostNetworkSettings, host: LinuxHostNetwork) -> None:
    before = world()
    host.merge(share(port(5, "default")))
    host.merge(share(port(5, "default", net=2)))
    host.remove_server("server1-5")
    host.remove_server("server1-5")
    assert dhcp_pid(dhcp_of(settings, 1)) is None
    assert dhcp_pid(dhcp_of(settings, 2)) is not None
    host.remove_server("server2-5")
    assert world()[:2] == before[:2]


def test_replace_is_exact(lab: Lab, settings: HostNetworkSettings, host: LinuxHostNetwork) -> None:
    host.merge(share(port(5, "default"), port(6, "default"), port(5, "default", net=2)))
    host.replace(share(port(6, "default")))
    rules = run("nft", "list", "ruleset")
    assert "10.77.1.6" in rules
    assert "10.77.1.5" not in rules
    assert "10.77.2." not in rules
    assert dhcp_of(settings).hosts.read_text() == "02:00:00:00:01:06,10.77.1.6,guest6\n"
    assert not dhcp_of(settings, 2).path.exists()


def test_a_killed_dnsmasq_is_started_again(settings: HostNetworkSettings, host: LinuxHostNetwork) -> None:
    host.merge(share(port(5, "default")))
    first = dhcp_pid(dhcp_of(settings))
    assert first is not None
    os.kill(first, signal.SIGKILL)
    host.merge(share(port(6, "default")))
    assert dhcp_pid(dhcp_of(settings)) not in {None, first}


def test_a_restarted_agent_goes_on_with_what_it_finds(settings: HostNetworkSettings, host: LinuxHostNetwork) -> None:
    host.merge(share(port(5, "default")))
    first = dhcp_pid(dhcp_of(settings))
    host.close()
    dhcp_of(settings).pid.unlink()
    second = restarted(settings)
    second.merge(share(port(6, "default")))
    assert dhcp_pid(dhcp_of(settings)) == first
    assert "10.77.1.5" in run("nft", "list", "ruleset")
    second.close()


def test_after_a_reboot_the_records_bring_it_all_back(
    lab: Lab, settings: HostNetworkSettings, host: LinuxHostNetwork, tmp_path: Path
) -> None:
    host.merge(share(port(5, "default")))
    kept = (settings.data_dir / "state.json").read_bytes()
    host.purge()
    settings.data_dir.joinpath("state.json").write_bytes(kept)
    second = restarted(settings)
    second.resume()
    assert lab.guest(port(5)).lease(tmp_path)["ip"] == "10.77.1.5"
    second.purge()


def test_a_flushed_ruleset_is_healed(settings: HostNetworkSettings, host: LinuxHostNetwork) -> None:
    host.merge(share(port(5, "default")))
    before = run("nft", "list", "ruleset")
    run("nft", "flush", "ruleset")
    host.merge(share(port(5, "default")))
    assert run("nft", "list", "ruleset") == before


def test_other_peoples_tables_are_left_alone(host: LinuxHostNetwork) -> None:
    run("nft", "add table inet somebody")
    host.merge(share(port(5, "default")))
    host.purge()
    assert run("nft", "list", "tables") == "table inet somebody\n"


def test_many_at_once_end_in_one_state(settings: HostNetworkSettings, host: LinuxHostNetwork) -> None:
    threads = [threading.Thread(target=host.merge, args=(share(port(number, "default")),)) for number in range(5, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert len(dhcp_of(settings).hosts.read_text().splitlines()) == 8
    assert host.audit() == EMPTY


def wide(cidr: str, gateway: str) -> HostNetwork:
    """A guest's port on a network of this range."""
    subnet = msgspec.structs.replace(network(1).subnets[0], cidr=cidr, gateway=gateway)
    state = share(port(5, "open", addresses=(gateway[:-1] + "5",)))
    return msgspec.structs.replace(state, networks=(network(1, subnets=(subnet,)),))


@pytest.mark.parametrize(("cidr", "gateway"), [("128.0.0.0/2", "128.0.0.1"), ("198.51.100.0/24", "198.51.100.1")])
def test_no_range_of_a_tenants_moves_the_machines_own_way(
    lab: Lab, host: LinuxHostNetwork, cidr: str, gateway: str
) -> None:
    lab.outside()
    targets = ("198.51.100.2", "203.0.113.9", "151.101.0.1", gateway)
    ways = [run("ip", "route", "get", target) for target in targets]
    host.merge(wide(cidr, gateway))
    assert [run("ip", "route", "get", target) for target in targets] == ways
    added = {route["dst"] for route in json.loads(run("ip", "-j", "route"))} - {"default", "198.51.100.0/24"}
    assert added == {str(uplink_pair(1))}
    (guest,) = (lab.guest(one) for one in wide(cidr, gateway).ports)
    guest.run("ip", "addr", "add", f"{guest.address}/24", "dev", "eth0")
    assert guest.pings(gateway)


def test_networks_of_one_range_are_apart(lab: Lab, host: LinuxHostNetwork, tmp_path: Path) -> None:
    ports = (port(5, "open"), port(5, "open", net=2, addresses=("10.77.1.5",)), port(6, "open"))
    state = share(*ports)
    host.merge(msgspec.structs.replace(state, networks=(network(1), network(2, subnets=network(1).subnets))))
    one, twin, target = (lab.guest(each) for each in ports)
    assert {guest.lease(tmp_path)["ip"] for guest in (one, twin)} == {"10.77.1.5"}
    target.configure()
    with target.listen(80):
        assert one.reaches("10.77.1.6", 80)
        assert not twin.reaches("10.77.1.6", 80)


def test_a_host_whose_uplinks_would_take_the_machines_own_refuses(lab: Lab, host: LinuxHostNetwork) -> None:
    lab.outside()
    run("ip", "route", "add", "198.18.0.0/24", "via", "198.51.100.2")
    before = world()
    with pytest.raises(HostFailure, match=r"198\.18\.0\.2/31.*ip route.*198\.18\.0\.0/24"):
        host.merge(share(port(5, "default")))
    assert world() == before


def test_a_rule_that_cannot_be_said_is_refused_before_anything_changes(host: LinuxHostNetwork) -> None:
    before = world()
    bad = RuleSpec(id="bad", direction="ingress", ethertype="IPv4", protocol="drop; flush ruleset")
    group = msgspec.structs.replace(CLOSED, rules=(bad,))
    with pytest.raises(HostFailure, match="Security group rule bad cannot be applied"):
        host.merge(share(port(5, "closed"), groups=(group,)))
    assert world() == before


def test_the_audit_finds_what_nobody_owns(lab: Lab, settings: HostNetworkSettings, host: LinuxHostNetwork) -> None:
    host.merge(share(port(5, "default")))
    assert host.audit() == EMPTY
    run("ip", "link", "add", "knt000000000000", "type", "veth", "peer", "name", "lost0")
    run("ip", "link", "add", "knb000000000000", "type", "bridge")
    run("nft", "add", "element", "bridge", "kilonova", "taps", '{ "knt999999999999" }')
    with dhcp_of(settings).hosts.open("a") as hosts:
        hosts.write("02:00:00:00:00:99,10.77.1.99\n")
    run("ip", "link", "add", "knx000000000000", "type", "vxlan", "id", "9", "dstport", "4789")
    tag = settings.tag()
    run("ip", "netns", "add", f"knb000000000000-{tag}")
    found = host.audit()
    run("ip", "netns", "delete", f"knb000000000000-{tag}")
    assert found == {
        "tunnels": ["knx000000000000"],
        "namespaces": [f"knb000000000000-{tag}"],
        "taps": ["knt000000000000"],
        "bridges": ["knb000000000000"],
        "rules": ["knt999999999999"],
        "dhcp": ["02:00:00:00:00:99,10.77.1.99"],
    }
