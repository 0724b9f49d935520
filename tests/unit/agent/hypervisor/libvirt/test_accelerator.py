"""The verdict on KVM: from a guest that ran, kept until what it rests on changes."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from kilonova.agent.hypervisor.libvirt import accelerator
from kilonova.agent.hypervisor.libvirt.accelerator import find_accelerator
from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings


class Machine:
    """A PATH whose QEMU is a script, and a device file that opens."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.runs = folder / "runs"
        self.settings = LibvirtSettings(
            data_dir=folder, host_name="h", probe_kernel=folder / "k", probe_ramdisk=folder / "r", probe_timeout_s=0.5
        )
        device = folder / "kvm"
        device.touch()
        monkeypatch.setattr(accelerator, "_DEVICE", device)
        monkeypatch.setattr("platform.machine", lambda: "test")
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        self.qemu("true")

    def qemu(self, does: str, version: str = "7.2") -> None:
        script = self.folder / "qemu-system-test"
        script.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && {{ echo {version}; exit; }}\necho run >> {self.runs}\n{does}\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def verdict(self) -> tuple[str, str]:
        found = find_accelerator(self.settings, self.folder / "verdict.json")
        return found.name, found.why

    def count(self) -> int:
        return len(self.runs.read_text().splitlines()) if self.runs.exists() else 0


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_guest_that_speaks_proves_kvm(machine: Machine) -> None:
    machine.qemu("echo kilonova-probe: ok")
    assert machine.verdict() == ("kvm", "a guest ran under KVM")


def test_a_guest_that_speaks_and_does_not_end_proves_it_too(machine: Machine) -> None:
    machine.qemu("echo kilonova-probe: ok; exec sleep 60")
    assert machine.verdict()[0] == "kvm"


def test_a_guest_that_says_nothing_in_time_proves_the_contrary(machine: Machine) -> None:
    machine.qemu("exec sleep 60")
    name, why = machine.verdict()
    assert name == "tcg"
    assert "did nothing for 0.5 s" in why


def test_what_qemu_complains_of_is_the_reason(machine: Machine) -> None:
    machine.qemu("echo 'no luck' >&2; exit 1")
    assert machine.verdict() == ("tcg", "a guest under KVM failed: no luck")


def test_the_verdict_is_kept_until_qemu_changes(machine: Machine) -> None:
    machine.qemu("echo kilonova-probe: ok")
    assert (machine.verdict(), machine.verdict(), machine.count()) == (("kvm", "a guest ran under KVM"),) * 2 + (1,)
    machine.qemu("exit 1", version="8.0")
    assert machine.verdict()[0] == "tcg"
    assert machine.count() == 2


def test_a_broken_note_is_written_anew(machine: Machine) -> None:
    machine.qemu("echo kilonova-probe: ok")
    (machine.folder / "verdict.json").write_text("{")
    assert machine.verdict()[0] == "kvm"


def test_without_a_device_or_a_guest_nothing_is_run(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accelerator, "_DEVICE", machine.folder / "none")
    assert machine.verdict() == ("tcg", f"{machine.folder / 'none'} is not there")
    machine.settings = msgspec.structs.replace(machine.settings, probe_kernel=None)
    assert machine.verdict()[0] == "tcg"
    assert machine.count() == 0
