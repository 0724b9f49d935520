"""
What the kernel can do for a host's networks, learnt by doing it in a network namespace that lives for one command.

A module list says little: what is missing may be loaded on demand, built in, or forbidden in a container.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from kilonova.cli.doctor.finding import FAIL, PASS, WARN, Finding, judged
from kilonova.cli.doctor.programs import find_program

_LIMIT_S = 10.0
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_BRIDGE_FILTER = Path("/proc/sys/net/bridge")
_FIREWALL = """
table bridge kn { chain p { type filter hook prerouting priority -300; meta protocol ip accept; }; }
table inet kn {
    map m { type ifname . ipv4_addr : verdict; }
    chain f { type filter hook forward priority 0; ct state established accept; iifname . ip saddr vmap @m; }
    chain n { type nat hook postrouting priority 100; meta nfproto ipv4 masquerade; }
}
"""
_VLAN = "link add kn0 type dummy\nlink add link kn0 name kn1 type vlan id 42\n"
# What is tried, by id: its words, the program, and what it is told.
_TRIALS = {
    "bridge": ("bridges", ["ip", "-batch", "-"], "link add kn0 type bridge\n"),
    "tap": ("taps", ["ip", "tuntap", "add", "dev", "kn0", "mode", "tap"], ""),
    "nft": ("a firewall with connection tracking and NAT", ["nft", "-f", "-"], _FIREWALL),
    "vlan": ("VLANs (8021q)", ["ip", "-batch", "-"], _VLAN),
    "vxlan": ("VXLAN", ["ip", "-batch", "-"], "link add kn0 type vxlan id 42 dstport 4789\n"),
}
_NOT_NEEDED_YET = ("vlan", "vxlan")
_MODULES = {"bridge": "bridge", "tap": "tun", "nft": "nf_tables nft_ct nft_masq", "vlan": "8021q", "vxlan": "vxlan"}


def check_kernel() -> Iterator[Finding]:
    """Each ability, and whether packets are and may be forwarded."""
    for ident, (words, command, told) in _TRIALS.items():
        problem = attempt(command, told)
        remedy = f"modprobe -a {_MODULES[ident]}"
        if problem is not None and ident in _NOT_NEEDED_YET:
            yield Finding(ident, WARN, f"no {words}", f"{problem}; only networks of that kind need it", remedy)
        else:
            yield judged(ident, words if problem is None else f"no {words}", problem, remedy)
    yield bridge_filter(there=_BRIDGE_FILTER.is_dir(), loadable=_loadable("br_netfilter"))
    yield forwarding(_FORWARD.read_text().strip() if _FORWARD.exists() else None, writable=os.access(_FORWARD, os.W_OK))
    yield forward_blockers()


def attempt(command: list[str], told: str) -> str | None:
    """Run a command in a namespace of its own; None when it worked, else what it said."""
    program = find_program(command[0])
    if program is None:
        return f"{command[0]} is not installed"
    alone = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    try:
        done = subprocess.run(
            [*alone, program, *command[1:]], input=told, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failed:
        return str(failed)
    said = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (said[0] if said else f"{command[0]} ended with {done.returncode}")


def bridge_filter(*, there: bool, loadable: bool) -> Finding:
    """Whether a bridge can hand its packets to the firewall, which security groups between guests of one host rest on."""
    if there or loadable:
        return Finding("br_netfilter", PASS, "bridges can hand packets to the firewall (br_netfilter)")
    why = "security groups between guests of one host rest on it"
    return Finding("br_netfilter", FAIL, "no br_netfilter", why, "modprobe br_netfilter")


def forwarding(value: str | None, *, writable: bool) -> Finding:
    """The kernel's own switch. Kilonova turns it on for as long as it has networks, if it may."""
    if value == "1":
        return Finding("ip_forward", PASS, "the kernel forwards packets")
    if writable:
        return Finding(
            "ip_forward", PASS, "the kernel does not forward packets now", "kilonova switches it on when it needs it"
        )
    remedy = "sysctl -w net.ipv4.ip_forward=1"
    return Finding("ip_forward", FAIL, "the kernel does not forward packets", "and we may not switch it on", remedy)


def forward_blockers() -> Finding:
    """Other people's firewalls that drop what guests send outside."""
    from kilonova.agent.network import inspection  # noqa: PLC0415 - brings netlink; only a real host has this

    if os.geteuid() != 0 or find_program("nft") is None:
        return Finding(
            "forward", WARN, "other firewalls were not looked at", "that needs root and nft", "sudo kilonova doctor"
        )
    found = inspection.forward_blockers()
    if not found:
        return Finding("forward", PASS, "no other firewall drops guests' packets")
    remedy = "iptables -P FORWARD ACCEPT   # or allow the bridges knb* there"
    return Finding("forward", WARN, "guests may not reach the outside", "; ".join(found), remedy)


def _loadable(module: str) -> bool:
    program = find_program("modprobe")
    return (
        program is not None
        and not subprocess.run(
            [program, "--dry-run", "--quiet", module], capture_output=True, timeout=_LIMIT_S, check=False
        ).returncode
    )
