"""Kernel settings of the network, and the one that is the machine's rather than ours: forwarding."""

from __future__ import annotations

import subprocess
from pathlib import Path

IP_FORWARD = "net/ipv4/ip_forward"
_ROOT = Path("/proc/sys")
_BRIDGE_FILTERS = ("iptables", "ip6tables", "arptables")


def read_sysctl(name: str) -> str:
    """Its value as text. Raises OSError."""
    return (_ROOT / name).read_text().strip()


def write_sysctl(name: str, value: str) -> None:
    """Set it, unless it is so already: a write can have side effects even when it changes nothing. Raises OSError."""
    if read_sysctl(name) != value:
        (_ROOT / name).write_text(value)


def ensure_bridge_netfilter() -> None:
    """
    Have the kernel hand bridged packets to the inet hooks where a bridge asks for it.

    Where the module is not there yet, loading it would turn this on for every bridge of the machine; that is undone at once.
    """
    if not (_ROOT / "net/bridge").is_dir():
        subprocess.run(["modprobe", "br_netfilter"], check=True, capture_output=True, text=True)
        for kind in _BRIDGE_FILTERS:
            write_sysctl(f"net/bridge/bridge-nf-call-{kind}", "0")
