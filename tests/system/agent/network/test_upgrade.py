"""A host on which an earlier release served flat networks in the machine's own namespace, with tenants' ranges in its routes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from kilonova.agent.network.dhcp import dhcp_pid, unprivileged_user
from kilonova.agent.network.dnsmasq import Folder, plan_dhcp
from kilonova.agent.network.host import HostNetworkSettings, LinuxHostNetwork
from kilonova.agent.network.slots import uplink_pair
from kilonova.domain.hostnet import HostNetwork, NetworkSpec, SubnetSpec
from tests.netparts import guest_data, network, port, share
from tests.system.netlab import Guest, Lab, run

METADATA = "169.254.169.254"
LONELY = SubnetSpec(id="lonely", cidr="10.99.0.0/16", ip_version=4, gateway=None, dhcp=True)


def netspace(pid: int | str) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115 - it leads to no file


@pytest.fixture
def old(lab: Lab, settings: HostNetworkSettings) -> HostNetwork:
    """The machine as it was left: bridges with addresses, routes over them, dnsmasq beside them, records without numbers."""
    nets = (network(1), network(2, subnets=(*network(2).subnets, LONELY)))
    state = msgspec.structs.replace(share(port(5, "open"), port(5, "open", net=2)), networks=nets)
    for one in nets:
        run("ip", "link", "add", one.bridge, "address", "02:6b:6e:00:00:01", "type", "bridge")
        run("ip", "addr", "add", f"{one.subnets[0].gateway}/24", "dev", one.bridge)
        run("ip", "link", "set", one.bridge, "up")
        serve(one, Folder(settings.run() / one.bridge), state)
    run("ip", "route", "add", LONELY.cidr, "dev", nets[1].bridge, "scope", "link")
    settings.data_dir.mkdir(parents=True)
    records = {"share": msgspec.to_builtins(state), "sysctls": {}}
    (settings.data_dir / "state.json").write_text(json.dumps(records))
    return state


def serve(one: NetworkSpec, folder: Folder, state: HostNetwork) -> None:
    folder.path.mkdir(parents=True, exist_ok=True)
    for path in (folder.path, folder.path.parent, folder.path.parent.parent):
        path.chmod(0o755)
    plan = plan_dhcp(one, [each for each in state.ports if each.network_id == one.id], folder, unprivileged_user())
    assert plan is not None
    for path, text in ((folder.config, plan.config), (folder.hosts, plan.hosts), (folder.names, plan.names)):
        path.write_text(text)
    folder.options.write_text(plan.options)
    run("dnsmasq", f"--conf-file={folder.config}")


@pytest.fixture
def upgraded(old: HostNetwork, settings: HostNetworkSettings) -> Iterator[LinuxHostNetwork]:
    host = LinuxHostNetwork(settings, guest_data, lambda _server, _password: None)
    yield host
    host.purge()


def test_the_machines_routes_are_its_own_again_and_guests_go_on(
    lab: Lab, old: HostNetwork, settings: HostNetworkSettings, upgraded: LinuxHostNetwork, tmp_path: Path
) -> None:
    guests: list[Guest] = [lab.guest(one) for one in old.ports]
    outside = lab.outside()
    servers = [dhcp_pid(Folder(settings.run() / one.bridge)) for one in old.networks]
    assert all(pid is not None and netspace(pid) == netspace("thread-self") for pid in servers)
    upgraded.resume()
    routes = {route["dst"] for route in json.loads(run("ip", "-j", "route"))}
    assert routes == {"default", "198.51.100.0/24", *(str(uplink_pair(slot)) for slot in (1, 2))}
    for guest in guests:
        assert guest.lease(tmp_path)["ip"] == guest.address
        assert guest.get(METADATA, "/latest/meta-data/hostname")[0] == 200
        with outside.listen(80):
            assert guest.reaches("198.51.100.2", 80)
    for one in old.networks:
        pid = dhcp_pid(Folder(settings.run() / one.bridge))
        assert pid not in {None, *servers}
        assert netspace(str(pid)) != netspace("thread-self")
    assert upgraded.audit() == {kind: [] for kind in upgraded.audit()}


def test_an_upgrade_that_was_killed_half_way_is_gone_on_with(
    lab: Lab, old: HostNetwork, settings: HostNetworkSettings, upgraded: LinuxHostNetwork, tmp_path: Path
) -> None:
    """The gateways were made, and the old DHCP servers were not ended yet."""
    upgraded.resume()
    for one in old.networks:
        pid = dhcp_pid(Folder(settings.run() / one.bridge))
        assert pid is not None
        os.kill(pid, 9)
        run("dnsmasq", f"--conf-file={settings.run() / one.bridge / 'dnsmasq.conf'}")
    upgraded.close()
    again = LinuxHostNetwork(settings, guest_data, lambda _server, _password: None)
    again.resume()
    guest = lab.guest(old.ports[0])
    assert guest.lease(tmp_path)["ip"] == guest.address
    again.close()
