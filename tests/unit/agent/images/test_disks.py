"""Disks made of images, and blank ones, with the real qemu-img, mkfs and mkswap."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from kilonova.agent.failure import HostFailure
from kilonova.agent.images.blank import create_blank
from kilonova.agent.images.cache import ImageCache
from kilonova.agent.images.qcow2 import Qcow2Backend
from kilonova.agent.images.raw import RawBackend
from kilonova.domain.clock import SystemClock
from kilonova.domain.machine import ImageRef
from tests.fakes.host import ImageShelf

MIB = 1 << 20
CONTENT = os.urandom(MIB) + bytes(MIB)


@pytest.fixture
def cache(tmp_path: Path) -> ImageCache:
    return ImageCache(tmp_path / "cache", ImageShelf({"flat": CONTENT, "cow": cow(tmp_path)}), SystemClock())


def cow(folder: Path) -> bytes:
    flat, made = folder / "flat", folder / "cow"
    flat.write_bytes(CONTENT)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(flat), str(made)], check=True)
    return made.read_bytes()


def image(kind: str, folder: Path) -> ImageRef:
    content = CONTENT if kind == "flat" else (folder / "cow").read_bytes()
    disk_format = "raw" if kind == "flat" else "qcow2"
    return ImageRef(id=kind, disk_format=disk_format, size=len(content), sha512=hashlib.sha512(content).hexdigest())


def info(path: Path, disk_format: str) -> dict[str, object]:
    command = ["qemu-img", "info", "--output=json", "-f", disk_format, str(path)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def guest_sees(path: Path, disk_format: str, folder: Path) -> bytes:
    flat = folder / "seen"
    subprocess.run(["qemu-img", "convert", "-f", disk_format, "-O", "raw", str(path), str(flat)], check=True)
    return flat.read_bytes()


@pytest.mark.parametrize("kind", ["flat", "cow"])
@pytest.mark.parametrize("size", [0, 8 * MIB])
def test_both_backends_show_the_guest_the_same(cache: ImageCache, tmp_path: Path, kind: str, size: int) -> None:
    for backend in (RawBackend(cache), Qcow2Backend(cache)):
        path = tmp_path / f"disk-{backend.format}"
        backend.create(image(kind, tmp_path), path, size)
        assert info(path, backend.format)["virtual-size"] == (size or len(CONTENT))
        assert guest_sees(path, backend.format, tmp_path)[: len(CONTENT)] == CONTENT


@pytest.mark.parametrize(("kind", "base_format"), [("flat", "raw"), ("cow", "qcow2")])
def test_an_overlay_names_its_base_and_its_format(
    cache: ImageCache, tmp_path: Path, kind: str, base_format: str
) -> None:
    Qcow2Backend(cache).create(image(kind, tmp_path), tmp_path / "disk", 8 * MIB)
    told = info(tmp_path / "disk", "qcow2")
    assert told["backing-filename"] == str(cache.fetch(image(kind, tmp_path)).path)
    assert told["backing-filename-format"] == base_format


def test_a_flat_disk_needs_nothing_of_the_cache_and_keeps_holes(cache: ImageCache, tmp_path: Path) -> None:
    RawBackend(cache).create(image("cow", tmp_path), tmp_path / "disk", 64 * MIB)
    assert (tmp_path / "disk").stat().st_blocks * 512 < 2 * MIB


@pytest.mark.parametrize("kind", ["flat", "cow"])
def test_an_image_larger_than_the_disk_is_refused_by_every_host(cache: ImageCache, tmp_path: Path, kind: str) -> None:
    for backend in (RawBackend(cache), Qcow2Backend(cache)):
        with pytest.raises(HostFailure, match=r"flavor's root disk has 0\.00 GiB") as raised:
            backend.create(image(kind, tmp_path), tmp_path / "disk", MIB)
        assert raised.value.fault.elsewhere is False


def test_a_full_disk_is_this_hosts_own_fault(cache: ImageCache, tmp_path: Path) -> None:
    for backend in (RawBackend(cache, reserved_bytes=1 << 60), Qcow2Backend(cache, reserved_bytes=1 << 60)):
        with pytest.raises(HostFailure, match="MiB free") as raised:
            backend.create(image("flat", tmp_path), tmp_path / "disk", 8 * MIB)
        assert raised.value.fault.elsewhere is True


@pytest.mark.parametrize(("filesystem", "found"), [("ext4", "ext4"), ("swap", "swap")])
def test_a_blank_disk_is_formatted_and_labelled(tmp_path: Path, filesystem: str, found: str) -> None:
    create_blank(tmp_path / "disk", 64 * MIB, filesystem=filesystem, label="ephemeral0")
    told = subprocess.run(
        ["blkid", "-o", "export", str(tmp_path / "disk")], check=True, capture_output=True, text=True
    ).stdout
    assert f"TYPE={found}" in told
    assert "LABEL=ephemeral0" in told
    assert (tmp_path / "disk").stat().st_size == 64 * MIB


def test_a_blank_disk_without_a_file_system_is_all_hole(tmp_path: Path) -> None:
    create_blank(tmp_path / "disk", 64 * MIB, filesystem=None, label="data0")
    assert (tmp_path / "disk").stat().st_blocks == 0


@pytest.mark.parametrize(
    ("filesystem", "size", "says"),
    [("zfs", 64 * MIB, "zfs; known are"), ("ext4", 1024, "could not be formatted as ext4")],
)
def test_what_cannot_be_formatted_is_refused(tmp_path: Path, filesystem: str, size: int, says: str) -> None:
    with pytest.raises(HostFailure, match=says) as raised:
        create_blank(tmp_path / "disk", size, filesystem=filesystem, label="ephemeral0")
    assert raised.value.fault.elsewhere is False
    assert str(tmp_path) not in raised.value.fault.message
