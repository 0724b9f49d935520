"""
The wires of a lab: an Ethernet switch in its outer machine, a port of it for each host, and a cable to the machine below.

    this machine 10.111.255.1 ── 10.111.255.2 control (switch: 10.111.0.1) ── 10.111.0.11 host 1, 10.111.0.12 host 2, ...

The ranges are not ours alone: a lab refuses to begin where they are taken.
"""

from __future__ import annotations

import subprocess

from lab.place import Inside

CABLE = "kn-lab0"
BELOW = "10.111.255.1"
CONTROL_FROM_BELOW = "10.111.255.2"
CONTROL = "10.111.0.1"
RANGE = "10.111.0.0/16"
_SWITCH = "switch"
_MTU = "1600"  # so that guests have 1500 in their tunnels


def host_address(number: int) -> str:
    """Of the host with this number, from 1."""
    return f"10.111.0.{10 + number}"


def lay(control: Inside) -> None:
    """The switch in the outer machine, and the cable down to this one."""
    taken = subprocess.run(["ip", "route", "show", "root", RANGE], capture_output=True, text=True, check=True).stdout
    assert not taken, f"a lab is wired already, or its addresses are taken: {taken}"
    _ip("link", "add", CABLE, "type", "veth", "peer", "name", "below", "netns", str(control.pid))
    _ip("address", "add", f"{BELOW}/30", "dev", CABLE)
    _ip("link", "set", CABLE, "up")
    _ip("route", "add", "10.111.0.0/24", "via", CONTROL_FROM_BELOW)
    control.run("ip", "address", "add", f"{CONTROL_FROM_BELOW}/30", "dev", "below")
    control.run("ip", "link", "set", "below", "up")
    control.run("ip", "link", "add", _SWITCH, "mtu", _MTU, "type", "bridge")
    control.run("ip", "address", "add", f"{CONTROL}/24", "dev", _SWITCH)
    control.run("ip", "link", "set", _SWITCH, "up")
    control.run("sysctl", "--quiet", "--write", "net.ipv4.ip_forward=1")


def plug_in(control: Inside, host: Inside, number: int) -> None:
    """A host into the switch, as its eth0."""
    port = f"host{number}"
    _ip("link", "add", port, "mtu", _MTU, "type", "veth", "peer", "name", "eth0", "mtu", _MTU, "netns", str(host.pid))
    _ip("link", "set", port, "netns", str(control.pid))
    control.run("ip", "link", "set", port, "master", _SWITCH, "up")
    host.run("ip", "address", "add", f"{host_address(number)}/24", "dev", "eth0")
    host.run("ip", "link", "set", "eth0", "up")
    host.run("ip", "route", "add", "default", "via", CONTROL)


def cut(control: Inside, number: int, *, off: bool) -> None:
    """Pull a host's plug, or put it back."""
    control.run("ip", "link", "set", f"host{number}", "down" if off else "up")


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
