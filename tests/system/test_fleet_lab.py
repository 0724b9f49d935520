"""A fleet of real hosts: what `make lab` brings up, used with the official client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kilonova.domain.hostnet import bridge_name
from lab.fleet import URL, FleetLab
from tests.facts import REPOSITORY
from tests.openstack_client import Client, openstack
from tests.system.ssh import ssh
from tests.waiting import wait_until

IMAGE = REPOSITORY / "build" / "guest" / "kilonova-guest.qcow2"
HOSTS = ("host-1", "host-2", "host-3")
BOOTED_S = 180.0


class World:
    """A lab of three hosts, an administrator with a key, and two networks of one range."""

    def __init__(self, lab: FleetLab, client: Client, folder: Path) -> None:
        self.lab, self.client = lab, client
        self.key = folder / "key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        client.do("keypair", "create", "--public-key", str(self.key.with_suffix(".pub")), "key")
        client.do(
            "image", "create", "tiny", "--disk-format", "qcow2", "--container-format", "bare", "--file", str(IMAGE)
        )
        client.do("security", "group", "create", "open")
        client.do("security", "group", "rule", "create", "--protocol", "icmp", "open")
        client.do("security", "group", "rule", "create", "--protocol", "tcp", "--dst-port", "22", "open")
        for name in ("red", "blue"):
            client.do("network", "create", "--provider-network-type", "vxlan", name)
            client.do("subnet", "create", "--network", name, "--subnet-range", "10.9.0.0/24", name)

    def boot(self, name: str, network: str, host: str) -> None:
        """Ask for a server there."""
        zone = f"nova:{host}"
        words = ["--image", "tiny", "--flavor", "m1.nano", "--key-name", "key", "--security-group", "open"]
        self.client.do("server", "create", *words, "--network", network, "--availability-zone", zone, name)

    def wait_until_ready(self, *names: str) -> None:
        """Wait until these guests have come up."""
        for name in names:
            wait_until(lambda name=name: self.show(name)["status"] == "ACTIVE", f"{name} is active", BOOTED_S)
            wait_until(lambda name=name: "kilonova-guest: ready" in self.console(name), f"{name} is ready", BOOTED_S)

    def show(self, name: str) -> Any:
        shown = self.client.ask("server", "show", name)
        assert shown["status"] != "ERROR", shown["fault"]
        return shown

    def console(self, name: str) -> str:
        return self.client.run("console", "log", "show", name).out

    def ssh(self, name: str, command: str, *, check: bool = True) -> str:
        """What a command prints in a guest, from the inside of its network on its host."""
        shown = self.show(name)
        ((network, (address,)),) = shown["addresses"].items()
        host = self.lab.hosts[int(shown["OS-EXT-SRV-ATTR:host"].partition("-")[2]) - 1]
        bridge = bridge_name(self.client.ask("network", "show", network)["id"])
        spaces = host.run("ip", "netns", "list").split()
        (space,) = [word for word in spaces if word.startswith(bridge)]
        return host.run("ip", "netns", "exec", space, *ssh(self.key, address, command), check=check)

    def pings(self, name: str, address: str) -> bool:
        return "1 packets received" in self.ssh(name, f"ping -c 1 -W 2 {address}", check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fleet")
    lab = FleetLab()
    try:
        lab.up()
        assert tuple(lab.add_host() for _ in HOSTS) == HOSTS
        with openstack(f"{URL}/identity/v3", "admin", lab.credentials()["admin"], folder) as client:
            yield World(lab, client, folder)
    finally:
        lab.down()


@pytest.fixture(scope="module")
def guests(world: World) -> World:
    """Two guests of one network on two hosts; a third on the first's host, with the first's address, in another network."""
    world.boot("red-1", "red", "host-1")
    world.boot("red-2", "red", "host-2")
    world.boot("blue-1", "blue", "host-1")
    world.wait_until_ready("red-1", "red-2", "blue-1")
    return world


def test_services_tell_the_truth(world: World) -> None:
    services = world.client.ask("compute", "service", "list")
    assert {one["Host"] for one in services if one["Binary"] == "nova-compute"} == set(HOSTS)
    assert {one["Host"] for one in services if one["Binary"] == "nova-conductor"} == {"conductor-1", "conductor-2"}
    assert {one["State"] for one in services} == {"up"}


def test_each_host_serves_its_guests(guests: World) -> None:
    for name in ("red-1", "red-2", "blue-1"):
        told = json.loads(guests.ssh(name, "report"))
        assert told["hostname"] == name
        assert told["metadata_service"]["name"] == name


def test_guests_reach_each_other_across_hosts_and_never_another_network(guests: World) -> None:
    address = {name: next(iter(guests.show(name)["addresses"].values()))[0] for name in ("red-1", "red-2", "blue-1")}
    assert address["red-1"] == address["blue-1"]
    assert guests.pings("red-1", address["red-2"])
    assert guests.pings("red-2", address["red-1"])
    assert not guests.pings("blue-1", address["red-2"])


def test_a_conductor_and_an_agent_die_in_the_middle_of_a_boot(guests: World) -> None:
    guests.boot("brave", "red", "host-3")
    guests.lab.kill("conductor-1")
    guests.lab.kill("agent-3")
    guests.lab.start("agent-3")
    guests.wait_until_ready("brave")
    guests.lab.start("conductor-1")
    guests.lab.wait_until_ready("conductor-1")


def test_nothing_is_left_of_servers_that_are_deleted(guests: World) -> None:
    names = ("red-1", "red-2", "blue-1", "brave")
    guests.client.do(
        "server", "delete", "--wait", *(name for name in names if guests.client.run("server", "show", name).code == 0)
    )

    def orphans() -> Any:
        return guests.lab.call("GET", "/kilonova/v1/audit")["audit"]

    wait_until(lambda: orphans()["total"] == 0 and not orphans()["silent_hosts"], f"nothing is left: {orphans()}")
