"""Guests through the whole cloud: forms of image, addresses, what they are told, who may reach them, kill -9, the end."""

from __future__ import annotations

import json

import pytest

from tests.system.guests import Guests
from tests.waiting import wait_until

USER_DATA = "#!/bin/sh\necho user data speaks\n"
NETWORK_SETTLES_S = 10.0


@pytest.fixture(scope="module")
def parts(guests: Guests) -> str:
    """A guest of a kernel, a ramdisk and a root disk, told by the metadata service."""
    return guests.ask_for("parts", user_data=USER_DATA)


@pytest.fixture(scope="module")
def whole(guests: Guests) -> str:
    """A guest of one bootable qcow2, told by a config drive, with a root disk of the flavor's size, ephemeral and swap disks."""
    flavor = guests.add_flavor("roomy", disk=1, **{"OS-FLV-EXT-DATA:ephemeral": 1, "swap": 32})
    return guests.ask_for("whole", image=guests.qcow2, flavor=flavor, config_drive=True, groups=("ssh",))


def test_a_kernel_and_a_ramdisk_boot_and_the_guest_is_told_by_the_service(
    guests: Guests, parts: str, whole: str
) -> None:
    log = guests.wait_until_ready(parts)
    assert "user data speaks\nkilonova-guest: user-data exit=0\n" in log
    report = guests.report(parts)
    assert (report["hostname"], report["metadata_source"]) == ("parts", "openstack")
    assert report["metadata_service"]["uuid"] == parts
    assert f"eth0 {guests.address(parts)}/16" in report["addresses"]


def test_a_qcow2_boots_with_all_its_disks_and_the_guest_is_told_by_its_config_drive(guests: Guests, whole: str) -> None:
    log = guests.wait_until_ready(whole)
    assert "kilonova-guest: swap" in log
    assert "kilonova-guest: ephemeral" in log
    report = guests.report(whole)
    assert (report["hostname"], report["metadata_source"]) == ("whole", "config-drive")
    assert report["metadata_service"]["uuid"] == whole
    assert f"eth0 {guests.address(whole)}/16" in report["addresses"]
    disks = dict(disk.split() for disk in report["disks"])
    assert {"1024MiB", "32MiB"} <= set(disks.values())
    assert disks[report["root"].removeprefix("/dev/").rstrip("0123456789")] == "1024MiB"


def test_the_console_log_can_be_had_by_its_end(guests: Guests, parts: str) -> None:
    guests.wait_until_ready(parts)
    answer = guests.cloud.compute("POST", f"/servers/{parts}/action", {"os-getConsoleOutput": {"length": 3}})
    assert answer["output"].splitlines() == guests.console(parts).splitlines()[-3:]


def test_guests_reach_each_other_as_the_rules_say(guests: Guests, parts: str, whole: str) -> None:
    for guest in (parts, whole):
        guests.wait_until_ready(guest)
    # `parts` is in `default` too, whose members may reach each other; `whole` is not, and lets nothing in but ssh.
    assert not guests.pings(parts, guests.address(whole))
    assert not guests.pings(whole, guests.address(parts))
    rule = guests.add_rule(guests.group, protocol="icmp")
    wait_until(lambda: guests.pings(parts, guests.address(whole)), "echo comes through", NETWORK_SETTLES_S)
    assert guests.pings(whole, guests.address(parts))
    guests.cloud.network("DELETE", f"/security-group-rules/{rule}", status=204)
    wait_until(lambda: not guests.pings(parts, guests.address(whole)), "echo is kept out again", NETWORK_SETTLES_S)


def test_ssh_comes_through_with_its_rule_and_not_without(guests: Guests, parts: str) -> None:
    guests.wait_until_ready(parts)
    assert guests.answers(parts)
    [rule] = [
        rule["id"]
        for rule in guests.cloud.network("GET", f"/security-group-rules?security_group_id={guests.group}&protocol=tcp")[
            "security_group_rules"
        ]
    ]
    guests.cloud.network("DELETE", f"/security-group-rules/{rule}", status=204)
    wait_until(lambda: not guests.answers(parts), "ssh is kept out", NETWORK_SETTLES_S)
    guests.add_rule(guests.group, protocol="tcp", port_range_min=22, port_range_max=22)
    wait_until(lambda: guests.answers(parts), "ssh comes through again", NETWORK_SETTLES_S)


def test_the_command_line_waits_for_ssh_and_logs_in(guests: Guests, parts: str) -> None:
    """Which takes the way by the namespace of the network's gateway: the machine itself has none to a tenant's range."""
    guests.wait_until_ready(parts)
    assert guests.kilonova("wait", parts, "--for", "ssh", "-o", "json")
    assert json.loads(guests.kilonova("ssh", "-i", str(guests.key), parts, "--", "report"))["hostname"] == "parts"
    known = (guests.state / "kilonova-client" / "known_hosts" / parts).read_text()
    host_key = guests.ssh(parts, "dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key")
    learnt = [line for line in known.splitlines() if line.startswith(parts)]
    assert [line.split()[2] in host_key for line in learnt] == [True]  # from the console, before it was connected to
    (guests.state / "kilonova-client" / "known_hosts" / parts).write_text(known.replace("AAAAI", "AAAAJ"))
    with pytest.raises(AssertionError, match="HAS CHANGED"):
        guests.kilonova("ssh", "-i", str(guests.key), parts, "--", "true")
    assert guests.kilonova("ssh", "--new-host-key", "-i", str(guests.key), parts, "--", "echo", "in") == "in\n"


def test_guests_run_on_when_the_cloud_is_killed_and_it_finds_them_again(guests: Guests, parts: str, whole: str) -> None:
    for guest in (parts, whole):
        guests.wait_until_ready(guest)
    before = guests.processes()
    address = guests.address(parts)
    guests.cloud.kill()
    assert guests.processes() == before
    guests.cloud.start()
    assert guests.address(parts) == address
    assert guests.report(parts)["metadata_service"]["uuid"] == parts
    assert guests.processes() == before
    assert guests.cloud.audit()["total"] == 0
    late = guests.ask_for("late")
    guests.wait_until_ready(late)
    assert guests.answers(late)
    guests.cloud.delete(late)


def test_a_deleted_server_leaves_nothing_and_the_others_stay(guests: Guests, parts: str, whole: str) -> None:
    for guest in (parts, whole):
        guests.wait_until_ready(guest)
    guests.cloud.delete(whole)
    assert set(guests.processes()) == {parts}
    assert guests.answers(parts)
    guests.cloud.delete(parts)
    assert guests.processes() == {}
    host = guests.lab.path(guests.cloud.settings.data_dir) / "hosts" / "lab"
    assert list((host / "instances").iterdir()) == []
    assert list(host.rglob("*.part")) == []
    assert "knt" not in guests.lab.run("ip", "-br", "link")
    assert guests.lab.run("virsh", "list", "--all", "--name").split() == []
    assert guests.cloud.audit()["total"] == 0
