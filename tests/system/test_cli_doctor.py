"""The doctor on a machine that is known to run real servers: this one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from kilonova.cli.doctor import kernel
from kilonova.cli.main import cli
from tests.facts import REPOSITORY


def namespaces() -> set[str]:
    return {path.name for path in Path("/run/netns").glob("*")}


def test_a_machine_with_everything_passes_and_keeps_nothing(tmp_path: Path) -> None:
    before = namespaces(), {path.name for path in Path("/sys/class/net").iterdir()}
    done = CliRunner().invoke(cli, ["--data-dir", str(tmp_path / "cloud"), "doctor", "--json"])
    found = {one["id"]: one for one in json.loads(done.stdout)}
    assert done.exit_code == 0
    assert {one: found[one]["status"] for one in found if found[one]["status"] == "fail"} == {}
    assert {
        "python",
        "root",
        "bridge",
        "tap",
        "nft",
        "br_netfilter",
        "libvirt",
        "dnsmasq",
        "guest",
        "kvm",
    } <= found.keys()
    assert all(one["remedy"] for one in found.values() if one["status"] != "pass")
    assert (namespaces(), {path.name for path in Path("/sys/class/net").iterdir()}) == before
    assert not (tmp_path / "cloud").exists()


def test_kvm_is_judged_by_what_a_guest_said(tmp_path: Path) -> None:
    """A QEMU that starts and says nothing is no accelerator, whatever /dev/kvm looks like."""
    (tmp_path / "guest").mkdir()
    for name in ("vmlinuz", "probe-initrd"):
        shutil.copy(REPOSITORY / "build" / "guest" / name, tmp_path / "guest" / name)
    silent = tmp_path / "bin" / f"qemu-system-{os.uname().machine}"
    silent.parent.mkdir()
    silent.write_text("#!/bin/sh\nexit 3\n")
    silent.chmod(0o755)
    guest = str(tmp_path / "guest")
    code = f"from pathlib import Path; from kilonova.cli.doctor.hypervisor import kvm; print(kvm(Path({guest!r})))"
    env = os.environ | {"PATH": f"{silent.parent}:{os.environ['PATH']}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60)
    assert "status='warn'" in done.stdout
    assert "KVM does not work" in done.stdout


def test_a_trial_fails_by_what_the_kernel_says() -> None:
    assert kernel.attempt(["ip", "-batch", "-"], "link add kn0 type no-such-type\n") is not None
    assert kernel.attempt(["ip", "-batch", "-"], "link add kn0 type bridge\n") is None
