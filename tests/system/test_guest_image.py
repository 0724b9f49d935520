"""The tiny guest, booted for real: from ramdisk, from disks, from CD; told by config drive and by metadata service."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.facts import REPOSITORY
from tests.system.machine import PATIENCE_S, Machine

GUEST = REPOSITORY / "build" / "guest"
KERNEL = ("-kernel", str(GUEST / "vmlinuz"), "-initrd", str(GUEST / "initrd"))
ARGUMENTS = "console=ttyS0 quiet"
CARD = ("-device", "virtio-net-pci,netdev=net")
# Nothing of the outside can be reached, so no test depends on what the machine's own 169.254.169.254 says.
NETWORK = ("-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22", *CARD)
UUID = "5b2f3c1e-3f0e-4a59-9a4c-0f6c2d1f7a10"

# Answers one HTTP request for a file below a folder: QEMU starts it for each connection to the metadata address.
METADATA_SERVER = """
import pathlib, sys
file = pathlib.Path(sys.argv[1], sys.stdin.readline().split()[1].lstrip("/"))
status, body = ("200 OK", file.read_bytes()) if file.is_file() else ("404 Not Found", b"")
sys.stdout.buffer.write(f"HTTP/1.0 {status}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
"""


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    subprocess.run([sys.executable, str(REPOSITORY / "guest" / "build")], check=True)


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout


def overlay(folder: Path, image: str, form: str, size: str) -> tuple[str, ...]:
    """A disk of `size` that starts as the image, as Kilonova makes for a server."""
    disk = folder / "disk.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", GUEST / image, "-F", form, disk, size)
    return attached(disk)


def attached(disk: Path) -> tuple[str, ...]:
    return ("-drive", f"file={disk},if=virtio,format=qcow2")


def openstack_files(folder: Path, key: str, user_data: str) -> Path:
    """What a config drive holds, and what the metadata service serves."""
    metadata = {
        "uuid": UUID,
        "name": 'naïve "name"',
        "hostname": "star.novalocal",
        "project_id": "p1",
        "public_keys": {"my.key": key + "\n"},
        "meta": {"nested": {"uuid": "not this one", "list": [1, {"deep": None}]}},
        "files": [{"path": "/etc/star/told", "content_path": "/content/0000"}],
    }
    latest, content = folder / "openstack" / "latest", folder / "openstack" / "content"
    latest.mkdir(parents=True)
    content.mkdir()
    (latest / "meta_data.json").write_text(json.dumps(metadata, indent=1))
    (latest / "user_data").write_text(user_data)
    (content / "0000").write_text("told by file\n")
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
    return path


@pytest.fixture
def told(tmp_path: Path, key: Path) -> Path:
    script = "#!/bin/sh\necho user data speaks\ncat /etc/star/told\nexit 3\n"
    return openstack_files(tmp_path / "told", Path(f"{key}.pub").read_text().strip(), script)


def ssh(machine: Machine, key: Path, user: str, command: str) -> str:
    options = ("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes")
    return run("ssh", *options, "-i", key, "-p", str(machine.ssh_port()), f"{user}@127.0.0.1", command)


def config_drive(folder: Path, told: Path, form: str) -> tuple[str, ...]:
    drive = folder / "config.img"
    if form == "iso9660":
        run("xorriso", "-as", "mkisofs", "-quiet", "-V", "config-2", "-J", "-R", "-o", drive, told)
        return ("-drive", f"file={drive},if=ide,media=cdrom,format=raw,readonly=on")
    run("mformat", "-C", "-i", drive, "-T", "4096", "-h", "16", "-s", "32", "-v", "config-2", "::")
    run("mcopy", "-s", "-i", drive, told / "openstack", "::openstack")
    return ("-drive", f"file={drive},if=virtio,format=raw,readonly=on")


def test_kernel_and_ramdisk_need_no_disk(tmp_path: Path) -> None:
    with Machine(tmp_path, *KERNEL, "-append", ARGUMENTS, *NETWORK) as machine:
        machine.wait_for(r"kilonova-guest: ready uptime=\d+\.\d+\n")
    said = re.findall(r"kilonova-guest: (.*)\n", machine.output)
    assert said[:-1] == [
        "kernel up",
        "root ramdisk",
        "address eth0 10.0.2.15/24",
        "hostname kilonova",
        "metadata none source=none",
        "ssh up",
    ]


def test_root_disk_beside_kernel_and_ramdisk_fills_the_flavor(tmp_path: Path) -> None:
    disk = overlay(tmp_path, "rootfs.img", "raw", "1G")
    with Machine(tmp_path, *KERNEL, "-append", f"root=/dev/vda {ARGUMENTS}", *disk) as machine:
        found = machine.wait_for(r"kilonova-guest: root vda disk=1024MiB filesystem=(\d+)MiB\n")
    assert int(found[1]) > 950


def test_bootable_disk_fills_the_flavor_and_obeys_the_power_button(tmp_path: Path) -> None:
    with Machine(tmp_path, *overlay(tmp_path, "kilonova-guest.qcow2", "qcow2", "2G"), *NETWORK) as machine:
        found = machine.wait_for(r"kilonova-guest: root vda2 disk=\d+MiB filesystem=(\d+)MiB\n")
        machine.wait_for("kilonova-guest: ready")
        machine.press_power_button()
        assert machine.wait_for_end() == 0
    assert int(found[1]) > 1900


def test_cd_boots(tmp_path: Path) -> None:
    with Machine(tmp_path, "-cdrom", str(GUEST / "kilonova-guest.iso")) as machine:
        machine.wait_for("kilonova-guest: root ramdisk\n")
        machine.wait_for("kilonova-guest: ready")


@pytest.mark.parametrize("form", ["iso9660", "vfat"])
def test_config_drive_is_honoured(tmp_path: Path, told: Path, key: Path, form: str) -> None:
    drive = config_drive(tmp_path, told, form)
    with Machine(tmp_path, *KERNEL, "-append", ARGUMENTS, *NETWORK, *drive) as machine:
        machine.wait_for("kilonova-guest: ready")
        report = json.loads(ssh(machine, key, "root", "report"))
    for line in ("hostname star", "metadata ok source=config-drive", "file /etc/star/told", "user-data exit=3"):
        assert f"kilonova-guest: {line}\n" in machine.output
    assert "user data speaks\ntold by file\n" in machine.output
    assert (report["hostname"], report["metadata_source"], report["metadata_service"]) == ("star", "config-drive", None)
    assert "eth0 10.0.2.15/24" in report["addresses"]


def metadata_network(told: Path) -> tuple[str, ...]:
    """A network whose 169.254.169.254 serves the files below a folder."""
    server = shlex.join([sys.executable, "-c", METADATA_SERVER.strip(), str(told)]).replace(",", ",,")
    addresses = "net=169.254.169.0/24,host=169.254.169.2,dns=169.254.169.3,dhcpstart=169.254.169.15"
    forward = f"hostfwd=tcp:127.0.0.1:0-:22,guestfwd=tcp:169.254.169.254:80-cmd:{server}"
    return ("-netdev", f"user,id=net,restrict=on,{addresses},{forward}", *CARD)


def test_metadata_service_is_honoured_and_user_data_runs_once(tmp_path: Path, told: Path, key: Path) -> None:
    network = metadata_network(told)
    disk = overlay(tmp_path, "kilonova-guest.qcow2", "qcow2", "256M")
    with Machine(tmp_path, *disk, *network) as first:
        first.wait_for("kilonova-guest: user-data exit=3\n")
        first.wait_for("kilonova-guest: ready")
        assert ssh(first, key, "kilonova", "cat /etc/star/told") == "told by file\n"
        report = json.loads(ssh(first, key, "root", "report"))
        host_key = ssh(first, key, "root", "dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key")
        first.press_power_button()
        first.wait_for_end()
    assert report["metadata_source"] == "openstack"
    assert report["metadata_service"]["uuid"] == UUID
    assert report["metadata_service"]["name"] == 'naïve "name"'
    with Machine(tmp_path, *attached(tmp_path / "disk.qcow2"), *network) as second:
        second.wait_for("kilonova-guest: ready")
        assert ssh(second, key, "root", "dropbearkey -y -f /etc/dropbear/dropbear_ed25519_host_key") == host_key
    assert "user-data exit" not in second.output


def test_ec2_metadata_is_the_fall_back(tmp_path: Path, key: Path) -> None:
    latest = tmp_path / "ec2" / "latest"
    (latest / "meta-data" / "public-keys" / "0").mkdir(parents=True)
    (latest / "meta-data" / "instance-id").write_text("i-00000001")
    (latest / "meta-data" / "hostname").write_text("comet.novalocal")
    (latest / "meta-data" / "public-keys" / "0" / "openssh-key").write_text(Path(f"{key}.pub").read_text())
    (latest / "user-data").write_text("#cloud-config\n")
    with Machine(tmp_path, *KERNEL, "-append", ARGUMENTS, *metadata_network(tmp_path / "ec2")) as machine:
        machine.wait_for("kilonova-guest: ready")
        assert ssh(machine, key, "root", "hostname") == "comet\n"
    assert "kilonova-guest: metadata ok source=ec2\n" in machine.output
    assert "kilonova-guest: user-data ignored" in machine.output


def test_ephemeral_and_swap_disks_are_used(tmp_path: Path) -> None:
    ephemeral, swap = tmp_path / "ephemeral.img", tmp_path / "swap.img"
    run("mke2fs", "-q", "-t", "ext4", "-L", "ephemeral0", ephemeral, "16M")
    with swap.open("wb") as file:
        file.truncate(16 * 1024 * 1024)
    run("mkswap", "-q", swap)
    drives = [word for disk in (ephemeral, swap) for word in ("-drive", f"file={disk},if=virtio,format=raw")]
    with Machine(tmp_path, *KERNEL, "-append", ARGUMENTS, *drives) as machine:
        machine.wait_for("kilonova-guest: ready")
    assert "kilonova-guest: swap vdb\nkilonova-guest: ephemeral vda\n" in machine.output


def test_probe_says_ok_and_ends(tmp_path: Path) -> None:
    probe = ("-kernel", str(GUEST / "vmlinuz"), "-initrd", str(GUEST / "probe-initrd"), "-append", ARGUMENTS)
    with Machine(tmp_path, *probe) as machine:
        assert machine.wait_for_end() == 0
    assert "kilonova-probe: ok\n" in machine.output


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"a": {"b": [1, "x", {}], "c": null}}', ["a/b/0\t1", "a/b/1\tx", "a/c\tnull"]),
        ('["two\\nlines", "q\\"\\\\q/\\/", "\\u00e9"]', ["0\ttwo\\nlines", '1\tq"\\\\q//', "2\t\\0303\\0251"]),
        ('\n {"" : true}\n', ["\ttrue"]),
    ],
)
def test_json_is_flattened(text: str, lines: list[str]) -> None:
    assert flatten(text).stdout.splitlines() == lines


@pytest.mark.parametrize("text", ["", "{", '{"a" 1}', '["a"', "[1 2]", '{"a": "b'])
def test_what_is_not_json_is_refused(text: str) -> None:
    assert flatten(text).returncode == 1


def flatten(text: str) -> subprocess.CompletedProcess[str]:
    program = ("awk", "-f", str(REPOSITORY / "guest" / "files" / "bin" / "json"))
    busybox = GUEST / "packages" / "root" / "bin" / "busybox"
    return subprocess.run(
        [busybox, *program], input=text, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
