"""A host in a network namespace of its own, guests in others, an outside behind it: all is real but the machines."""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import secrets
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kilonova.domain.hostnet import PortSpec, bridge_name

BUSYBOX = Path(__file__).parents[2].joinpath("build", "guest", "packages", "root", "bin", "busybox")
PATIENCE_S = 20
REFUSED_S = 0.7  # how long a packet that must not arrive is waited for
CLONE_NEWNET = 0x40000000

LEASE_SCRIPT = """#!/bin/sh
case "$1" in bound|renew)
  echo "ip=$ip" "mask=$mask" "router=$router" "dns=$dns" "hostname=$hostname" "mtu=$mtu" "routes=$staticroutes" >"$LEASE"
  ip addr replace "$ip/$mask" dev "$interface"
  set -- $staticroutes
  while [ $# -gt 0 ]; do
    case "$2" in 0.0.0.0) ip route replace "$1" dev "$interface" ;; *) ip route replace "$1" via "$2" ;; esac
    shift 2
  done
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
        listener.bind(("", port))
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

    def get(self, address: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """An HTTP request from here to port 80: the status and the body of the answer."""
        connection = http.client.HTTPConnection(address, timeout=PATIENCE_S)
        connection.sock = self.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.sock.settimeout(PATIENCE_S)
        with contextlib.closing(connection):
            connection.sock.connect((address, 80))
            connection.request("GET" if body is None else "POST", path, body, {"X-Forwarded-For": "10.77.1.6"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def pings(self, address: str) -> bool:
        ping = "ping6" if ":" in address else "ping"
        command = ["ip", "netns", "exec", self.name, str(BUSYBOX), ping, "-c1", "-W1", address]
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
        """Take on the addresses without asking."""
        for six in (address for address in self.port.addresses if ":" in address):
            self.run("ip", "addr", "add", f"{six}/64", "dev", "eth0", "nodad")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        gateway = self.address.rpartition(".")[0] + ".1"
        self.run("ip", "route", "add", "default", "via", gateway)


Plug = Callable[..., list[Guest]]  # merge ports, and have a guest at each
Gateways = Callable[[int], Space]  # the gateway's namespace of a network, by its number


class Lab:
    """The namespaces of a test. The test itself runs on the host."""

    def __init__(self) -> None:
        self._tag = f"knt{secrets.token_hex(3)}"
        self._names: list[str] = []
        self.host = self.space("host")

    def guest(self, port: PortSpec, host: Space | None = None) -> Guest:
        """A guest at a port of a host (None: the one that the test is in)."""
        guest = Guest(self.space(f"g{len(self._names)}").name, port)
        with host.inside() if host else contextlib.nullcontext():
            run("ip", "link", "add", port.tap, "type", "veth", "peer", "name", "eth0", "netns", guest.name)
            run("ip", "link", "set", port.tap, "master", bridge_name(port.network_id), "up")
        guest.run("ip", "link", "set", "eth0", "address", port.mac, "up")
        return guest

    def outside(self) -> Space:
        """What is beyond the host: 198.51.100.2, which knows no way to the guests' addresses."""
        space = self.space("out")
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

    def space(self, name: str) -> Space:
        """A namespace of this lab, which goes with it."""
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


# --- frames ----------------------------------------------------------------------------------------------------------

BROADCAST = "ff:ff:ff:ff:ff:ff"


def frame(source: str, target: str, ethertype: int, payload: bytes) -> bytes:
    return _mac(target) + _mac(source) + struct.pack("!H", ethertype) + payload


def udp(macs: tuple[str, str], addresses: tuple[str, str], ports: tuple[int, int], payload: bytes) -> bytes:
    """A UDP packet; each pair is (from, to)."""
    datagram = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
    ends = socket.inet_aton(addresses[0]) + socket.inet_aton(addresses[1])
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0) + ends
    header = header[:10] + struct.pack("!H", _checksum(header)) + header[12:]
    return frame(*macs, 0x0800, header + datagram)


def icmp6(macs: tuple[str, str], addresses: tuple[str, str], message: bytes) -> bytes:
    """An ICMPv6 packet; `message` has zeros where its checksum goes."""
    ends = socket.inet_pton(socket.AF_INET6, addresses[0]) + socket.inet_pton(socket.AF_INET6, addresses[1])
    total = struct.pack("!H", _checksum(ends + struct.pack("!II", len(message), 58) + message))
    header = struct.pack("!IHBB", 0x60000000, len(message), 58, 255) + ends
    return frame(*macs, 0x86DD, header + message[:2] + total + message[4:])


def arp_reply(sender: tuple[str, str], ethernet_source: str) -> bytes:
    """An answer to everybody that `sender`, a (MAC, address), is there."""
    claim = _mac(sender[0]) + socket.inet_aton(sender[1])
    return frame(ethernet_source, BROADCAST, 0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + claim + claim)


def received(frames: socket.socket, until: bytes) -> list[bytes]:
    """What arrives up to and with the frame that contains `until`."""
    got: list[bytes] = []
    while not got or until not in got[-1]:
        data, (_, _, kind, *_) = frames.recvfrom(2048)
        if kind != socket.PACKET_OUTGOING:
            got.append(data)
    return got


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)  # twice: the first sum may carry again
    return ~(total + (total >> 16)) & 0xFFFF
