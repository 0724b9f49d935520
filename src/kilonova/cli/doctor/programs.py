"""The programs and libraries that real hosts are made with, and the Debian packages that bring them."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from importlib.util import find_spec

_SUPER = "/usr/sbin:/sbin"


@dataclass(frozen=True)
class Lacking:
    """What is not there, and one command that brings it."""

    what: list[str]
    remedy: str

    def __bool__(self) -> bool:
        return bool(self.what)


def find_program(name: str) -> str | None:
    """Where it is; what only root runs is often not on a user's path."""
    return shutil.which(name) or shutil.which(name, path=_SUPER)


def emulator() -> str:
    """QEMU's program for this machine's processors."""
    return f"qemu-system-{platform.machine()}"


def packages() -> dict[str, str]:
    """Each program by the Debian package that has it."""
    qemu = {"x86_64": "qemu-system-x86", "aarch64": "qemu-system-arm"}.get(platform.machine(), "qemu-system")
    return {
        emulator(): qemu,
        "qemu-img": "qemu-utils",
        "libvirtd": "libvirt-daemon-system",
        "dnsmasq": "dnsmasq-base",
        "nft": "nftables",
        "ip": "iproute2",
    }


def missing_for_real_hosts() -> Lacking:
    """What `kilonova up` cannot do without."""
    wanted = packages()
    missing = [name for name in wanted if find_program(name) is None]
    remedies = [f"apt-get install -y {' '.join(dict.fromkeys(wanted[name] for name in missing))}"] if missing else []
    if find_spec("libvirt") is None:
        missing.append("libvirt-python")
        remedies.append("pip install 'kilonova[libvirt]'")
    return Lacking(missing, " && ".join(remedies))
