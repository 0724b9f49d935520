"""What happens to a host: it is restarted under its guests; an image it must not open; a machine it cannot make; a purge."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest

from tests.system.guests import PATIENCE_S, Guests
from tests.waiting import wait_until


def restart_host(guests: Guests) -> None:
    """What a reboot does, but for the files: no process, no bridge, no namespace, no rule, an empty /run, another boot id."""
    guests.cloud.kill()
    lab = guests.lab
    for name in ("libvirtd", "virtlogd", "dnsmasq", "qemu-system-x86"):
        lab.run("pkill", "-9", name, check=False)
    wait_until(lambda: not lab.run("pgrep", "qemu|libvirtd", check=False), "the processes have ended", PATIENCE_S)
    for link in lab.run("ip", "-br", "link").splitlines():
        if link.startswith("kn"):
            lab.run("ip", "link", "delete", link.split()[0].partition("@")[0])
    lab.run("ip", "-all", "netns", "delete")
    lab.run("nft", "flush", "ruleset")
    lab.run("sh", "-c", "rm -rf /run/kilonova /run/libvirt")
    boot_id = Path("/run/boot_id")
    lab.path(boot_id).write_text(f"{uuid.uuid4()}\n")
    lab.run("mount", "--bind", str(boot_id), "/proc/sys/kernel/random/boot_id")


def test_guests_come_back_when_their_host_was_restarted(guests: Guests) -> None:
    first, second = guests.ask_for("first"), guests.ask_for("second", image=guests.qcow2)
    for guest in (first, second):
        guests.wait_until_ready(guest)
    guests.ssh(first, "echo kept > /var/kept && sync")
    guests.cloud.compute("DELETE", f"/servers/{second}", status=204)
    restart_host(guests)
    guests.cloud.start()
    wait_until(lambda: guests.cloud.server(second) is None, "the one that was being deleted is gone", PATIENCE_S)
    wait_until(lambda: set(guests.processes()) == {first}, "the other runs again", PATIENCE_S)
    wait_until(lambda: guests.answers(first), "it answers", PATIENCE_S)
    assert guests.ssh(first, "cat /var/kept") == "kept\n"
    assert guests.report(first)["metadata_service"]["uuid"] == first
    server = guests.cloud.wait_for(first, "ACTIVE")
    assert server["OS-EXT-STS:power_state"] == 1
    assert guests.cloud.audit()["total"] == 0
    guests.cloud.delete(first)


def test_an_image_that_leads_to_a_file_of_the_hosts_is_refused_and_not_kept(guests: Guests, tmp_path: Path) -> None:
    for option in (["-b", "/etc/passwd", "-F", "raw"], ["-o", f"data_file={tmp_path / 'outside'}"]):
        evil = tmp_path / "evil.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-u", *option, evil, "1M"], check=True)
        record = {"name": "evil", "disk_format": "qcow2", "container_format": "bare"}
        image = guests.cloud.call("POST", "/image/v2/images", record)["id"]
        guests.cloud.call("PUT", f"/image/v2/images/{image}/file", content=evil.read_bytes(), status=400)
        assert guests.cloud.call("GET", f"/image/v2/images/{image}")["status"] == "queued"
        refused = {"server": {"name": "x", "imageRef": image, "flavorRef": guests.flavor, "networks": "none"}}
        guests.cloud.compute("POST", "/servers", refused, status=400)
    assert guests.cloud.audit()["total"] == 0


@pytest.mark.parametrize(
    ("properties", "told"),
    [({"hw_disk_bus": "nonsense"}, "hw_disk_bus"), ({"hw_vif_model": "nonsense"}, "hw_vif_model")],
)
def test_a_machine_that_no_host_can_make_says_why_and_leaves_nothing(
    guests: Guests, properties: dict[str, str], told: str
) -> None:
    image = guests.cloud.upload("odd", "raw", bytes(1 << 20), **properties)
    server_id = guests.ask_for("odd", image=image)

    def failed() -> bool:
        server = guests.cloud.server(server_id)
        assert server is not None
        return bool(server["status"] == "ERROR")

    wait_until(failed, "the server is in error", PATIENCE_S)
    server = guests.cloud.server(server_id)
    assert server is not None
    assert told in server["fault"]["message"]
    assert guests.processes().get(server_id) is None
    assert guests.cloud.audit()["total"] == 0
    guests.cloud.delete(server_id)


def test_a_purge_leaves_nothing_of_the_cloud_on_the_machine(guests: Guests) -> None:
    running = guests.ask_for("running")
    guests.wait_until_ready(running)
    guests.cloud.purge()
    lab = guests.lab
    assert not lab.path(guests.cloud.settings.data_dir).exists()
    assert not lab.path(Path("/run/kilonova")).exists()
    assert lab.run("nft", "list", "tables") == ""
    assert [line.split()[0] for line in lab.run("ip", "-br", "link").splitlines()] == ["lo"]
    assert lab.run("pgrep", "-l", "qemu|dnsmasq|libvirt|virtlog|kilonova", check=False) == ""
    assert list(lab.path(Path("/etc/libvirt/qemu")).glob("*.xml")) == []
