"""A host's options as the libvirt driver's settings."""

from __future__ import annotations

from pathlib import Path

from kilonova.agent.driver import HostSetup
from kilonova.agent.hypervisor.libvirt.factory import libvirt_settings
from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings
from kilonova.domain.clock import SystemClock
from tests.fakes.host import ImageShelf


def settings(folder: Path, **options: str) -> LibvirtSettings:
    return libvirt_settings(
        HostSetup(name="h", data_dir=folder, images=ImageShelf(), clock=SystemClock(), options=options)
    )


def test_no_option_is_a_default_and_an_empty_one_is_none(tmp_path: Path) -> None:
    plain = LibvirtSettings(data_dir=tmp_path, host_name="h")
    assert settings(tmp_path) == plain
    assert settings(tmp_path, guest_dir="", accelerator="", image_backend="", uri="") == plain


def test_the_guest_is_the_probe(tmp_path: Path) -> None:
    found = settings(
        tmp_path, guest_dir="/guest", accelerator="tcg", image_backend="raw", uri="qemu:///system?socket=/s"
    )
    assert (found.probe_kernel, found.probe_ramdisk) == (Path("/guest/vmlinuz"), Path("/guest/probe-initrd"))
    assert (found.accelerator, found.backend, found.uri) == ("tcg", "raw", "qemu:///system?socket=/s")


def test_a_path_is_absolute_since_machines_are_known_by_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert settings(tmp_path / "link").data_dir == (tmp_path / "real").resolve()
