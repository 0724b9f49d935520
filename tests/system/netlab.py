"""A host in a network namespace of its own, guests in others, an outside behind it: real bridges, DHCP and nftables, no machines."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kilonova.domain.hostnet import PortSpec, bridge_name

BUSYBOX = Path(__file__).parents[2] / "build/guest/packages/root/bin/busybox"
PATIENCE_S = 20
REFUSED_S = 0.7  # how long a packet that must not arrive is waited for
CLONE_NEWNET = 0x40000000

LEASE_SCRIPT = """#!/bin/sh
case "$1" in bound|renew)
  echo "ip=$ip" "mask=$mask" "router=$router" "dns=$dns" "hostname=$hostname" "mtu=$mtu" "routes=$staticroutes" >"$LEASE"
  ip addr replace "$ip/$mask" dev "$interface"
  ip route replace default via "$router" dev "$interface"
;; esac
"""


def run(*command: str, timeout: float = PATIENCE_S) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Space:
    """A network namespace."""

    name: str

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be in it with this thread; a socket made meanwhile stays in it."""
        own = f"/proc/self/task/{threading.get_native_id()}/ns/net"
        with open(own, "rb") as here, open(f"/run/netns/{self.name}", "rb") as there:  # noqa: PTH123
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(here.fileno())

    def run(self, *command: str, timeout: float = PATIENCE_S) -> str:
        return run("ip", "netns", "exec", self.name, *command, timeout=timeout)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        with self.inside():
            return socket.socket(family, kind, protocol)

    def listen(self, port: int) -> socket.socket:
        listener = self.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen()
        return listener

    def reaches(self, address: str, port: int) -> bool:
        """Whether a TCP connection from here comes about."""
        with self.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            client.settimeout(REFUSED_S)
            try:
                client.connect((address, port))
            except (TimeoutError, OSError):
                return False
            return True

    def pings(self, address: str) -> bool:
        command = ["ip", "netns", "exec", self.name, str(BUSYBOX), "ping", "-c1", "-W1", address]
        return subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False).returncode == 0

    def raw(self, device: str = "eth0") -> socket.socket:
        """A socket that sends and receives whole frames."""
        frames = self.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        with self.inside():
            frames.bind((device, 3))
        frames.settimeout(PATIENCE_S)
        return frames


@dataclass(frozen=True)
class Guest(Space):
    """A pretend guest: a namespace whose eth0 is the other end of the port's tap."""

    port: PortSpec

    @property
    def address(self) -> str:
        return self.port.addresses[0]

    def lease(self, folder: Path) -> dict[str, str]:
        """Ask for an address by DHCP, take it on, and say what was given."""
        script, lease = folder / "lease.sh", folder / self.name
        script.write_text(LEASE_SCRIPT)
        script.chmod(0o755)
        client = [str(BUSYBOX), "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "6", "-T", "1", "-s", str(script)]
        self.run("env", f"LEASE={lease}", *client, "-O", "mtu", "-O", "staticroutes", "-x", "hostname:asked")
        head, _, routes = lease.read_text().strip().partition(" routes=")
        return {**dict(item.split("=", 1) for item in head.split(" ")), "routes": routes}

    def configure(self) -> None:
        """Take on the address without asking."""
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        gateway = self.address.rpartition(".")[0] + ".1"
        self.run("ip", "route", "add", "default", "via", gateway)


class Lab:
    """The namespaces of a test. The test itself runs on the host."""

    def __init__(self) -> None:
        self._tag = f"knt{secrets.token_hex(3)}"
        self._names: list[str] = []
        self.host = self._space("host")

    def guest(self, port: PortSpec) -> Guest:
        guest = Guest(self._space(f"g{len(self._names)}").name, port)
        run("ip", "link", "add", port.tap, "type", "veth", "peer", "name", "eth0", "netns", guest.name)
        run("ip", "link", "set", port.tap, "master", bridge_name(port.network_id), "up")
        guest.run("ip", "link", "set", "eth0", "address", port.mac, "up")
        return guest

    def outside(self) -> Space:
        """What is beyond the host: 198.51.100.2, which knows no way to the guests' addresses."""
        space = self._space("out")
        run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0", "netns", space.name)
        run("ip", "addr", "add", "198.51.100.1/24", "dev", "up0")
        run("ip", "link", "set", "up0", "up")
        space.run("ip", "addr", "add", "198.51.100.2/24", "dev", "eth0")
        space.run("ip", "link", "set", "eth0", "up")
        run("ip", "route", "add", "default", "via", "198.51.100.2")
        return space

    def close(self) -> None:
        for name in self._names:
            run("ip", "netns", "delete", name)

    def _space(self, name: str) -> Space:
        full = f"{self._tag}{name}"
        run("ip", "netns", "add", full)
        self._names.append(full)
        space = Space(full)
        space.run("ip", "link", "set", "lo", "up")
        return space


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
