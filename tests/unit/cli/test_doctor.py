from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kilonova.cli.doctor import hypervisor, kernel, machine
from kilonova.cli.doctor.command import shown, tell, verdict
from kilonova.cli.doctor.finding import FAIL, PASS, WARN, Finding
from kilonova.settings import CloudSettings

KVM = Finding("kvm", PASS, "")
NO_KVM = Finding("kvm", WARN, "")


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ([KVM], "real servers, under KVM"),
        ([NO_KVM], "real servers, emulated"),
        ([NO_KVM, Finding("qemu", FAIL, "")], "simulated hosts"),
        ([NO_KVM, Finding("python", FAIL, "", for_all=True), Finding("qemu", FAIL, "")], "no cloud"),
    ],
)
def test_the_verdict_is_the_best_that_can_be_run(findings: list[Finding], said: str) -> None:
    assert said in verdict(findings)


def test_a_finding_for_people_has_its_remedy_and_one_for_programs_five_fields(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bad = Finding("x", FAIL, "no x", "needed", "get x")
    tell(bad)
    assert capsys.readouterr().out == "FAIL  no x (needed)\n      Next: get x\n"
    assert shown(bad) == {"id": "x", "status": "fail", "what": "no x", "why": "needed", "remedy": "get x"}
    tell(Finding("x", PASS, "x", remedy="nothing to do"))
    assert capsys.readouterr().out == "PASS  x\n"


@pytest.mark.parametrize(
    ("free_mib", "status", "for_all"), [(4096, PASS, False), (512, WARN, False), (100, FAIL, True)]
)
def test_memory(free_mib: int, status: str, for_all: bool) -> None:
    found = machine.memory(f"MemTotal: 8388608 kB\nMemAvailable: {free_mib * 1024} kB\n")
    assert (found.status, found.for_all) == (status, for_all)
    assert f"{free_mib} of 8192 MiB" in found.what


def test_python_and_privileges() -> None:
    assert machine.python((3, 11)).status == PASS
    assert machine.python((3, 10)).for_all
    assert machine.privileges(0).status == PASS
    assert machine.privileges(1000).remedy == "sudo kilonova doctor"


def test_a_disk_is_looked_at_where_the_cloud_would_be(tmp_path: Path) -> None:
    found = machine.disk(tmp_path / "not" / "yet")
    assert found.status in (PASS, WARN)
    assert str(tmp_path / "not" / "yet") in found.what


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = CloudSettings(data_dir=tmp_path, port=listener.getsockname()[1])
        assert machine.port(settings).status == WARN
    assert machine.port(settings).status == PASS


def test_forwarding_is_fine_when_it_is_on_or_ours_to_switch() -> None:
    assert kernel.forwarding("1", writable=False).status == PASS
    assert kernel.forwarding("0", writable=True).status == PASS
    assert kernel.forwarding("0", writable=False).status == FAIL
    assert kernel.bridge_filter(there=False, loadable=False).status == FAIL
    assert kernel.bridge_filter(there=False, loadable=True).status == PASS


def test_libvirt_runs_or_can_be_started() -> None:
    assert hypervisor.libvirtd(answers=True, startable=False).status == PASS
    assert hypervisor.libvirtd(answers=False, startable=True).status == PASS
    assert hypervisor.libvirtd(answers=False, startable=False).remedy == "systemctl start libvirtd"


def test_what_is_not_installed_is_told_by_its_package() -> None:
    assert hypervisor.installed("no-such-program", "a-package").remedy == "apt-get install -y a-package"
    assert hypervisor.installed("sh", "dash").status == PASS
    assert hypervisor.libvirt_python(there=False).status == FAIL


def test_without_a_guest_kvm_is_not_judged(tmp_path: Path) -> None:
    assert hypervisor.guest_image(None).remedy.startswith("make guest")
    assert hypervisor.guest_image(tmp_path).status == WARN
    assert hypervisor.kvm(None).status == WARN


def test_a_trial_that_cannot_be_run_says_why() -> None:
    assert kernel.attempt(["no-such-program"], "") == "no-such-program is not installed"
