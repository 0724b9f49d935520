"""
Whether KVM works on this host, learnt by running a guest under it.

The device file says little: it can be there, open, and even create a machine whose first instruction never comes. So a guest of
a few hundred bytes on a real kernel is run under KVM; if it says its word in time, KVM works. The verdict is kept until what it
rests on changes: the boot, the kernel, QEMU.
"""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path

import msgspec

from kilonova.agent.hypervisor.libvirt.settings import LibvirtSettings
from kilonova.agent.images import durable

MARKER = b"kilonova-probe: ok"
_DEVICE = Path("/dev/kvm")


class Accelerator(msgspec.Struct, frozen=True):
    """The verdict: kvm or tcg, and why."""

    name: str
    why: str


class _Kept(msgspec.Struct, frozen=True):
    key: str
    verdict: Accelerator


def find_accelerator(settings: LibvirtSettings, kept_at: Path) -> Accelerator:
    """The verdict for this host: the kept one if it still holds, else a new one (bounded by `probe_timeout_s`)."""
    if settings.accelerator != "auto":
        return Accelerator(settings.accelerator, "the settings say so")
    if settings.probe_kernel is None or settings.probe_ramdisk is None:
        return Accelerator("tcg", "no probe guest was given to try KVM with")
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return Accelerator("tcg", f"{_DEVICE} is {'not accessible' if _DEVICE.exists() else 'not there'}")
    emulator = f"qemu-system-{platform.machine()}"
    key = _key(emulator)
    kept = _read(kept_at)
    if kept is not None and kept.key == key:
        return kept.verdict
    verdict = _probe(emulator, settings.probe_kernel, settings.probe_ramdisk, settings.probe_timeout_s)
    durable.write(kept_at, msgspec.json.encode(_Kept(key, verdict)))
    return verdict


def _read(kept_at: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(kept_at.read_bytes(), type=_Kept)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _key(emulator: str) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    version = subprocess.run([emulator, "--version"], check=False, capture_output=True, text=True).stdout.partition(
        "\n"
    )[0]
    return f"{boot} {platform.release()} {version}"


def _probe(emulator: str, kernel: Path, ramdisk: Path, timeout_s: float) -> Accelerator:
    command = [emulator, "-accel", "kvm", "-cpu", "host", "-m", "128", "-nodefaults", "-no-user-config", "-no-reboot"]
    command += ["-display", "none", "-serial", "stdio", "-kernel", str(kernel), "-initrd", str(ramdisk)]
    command += ["-append", "console=ttyS0 quiet panic=-1"]
    try:
        done = subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=timeout_s)
    except subprocess.TimeoutExpired as late:
        if MARKER in (late.stdout or b""):
            return Accelerator("kvm", "a guest ran under KVM")
        return Accelerator("tcg", f"{_DEVICE} opens, but a guest under KVM did nothing for {timeout_s:g} s")
    if MARKER in done.stdout:
        return Accelerator("kvm", "a guest ran under KVM")
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return Accelerator("tcg", f"a guest under KVM failed: {said[-1] if said else f'QEMU ended with {done.returncode}'}")
