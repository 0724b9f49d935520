"""Several hosts on one wire, each in a network namespace of its own: what `netlab` has one of."""

from __future__ import annotations

from pathlib import Path

import msgspec

from kilonova.agent.network.host import HostNetworkSettings, LinuxHostNetwork
from kilonova.domain.hostnet import HostNetwork, PortSpec
from tests.netparts import guest_data, share, tunnelled
from tests.system.netlab import Guest, Lab, Space

OUTSIDE = "203.0.113.254"


class Node:
    """One of several hosts: its namespace, its networking, and the address that the others reach it at."""

    def __init__(self, space: Space, settings: HostNetworkSettings, address: str) -> None:
        self.space, self.settings, self.address = space, settings, address
        self.network = self._made()

    def _made(self) -> LinuxHostNetwork:
        with self.space.inside():
            return LinuxHostNetwork(self.settings, guest_data, lambda _server, _password: None)

    def merge(self, part: HostNetwork) -> None:
        with self.space.inside():
            self.network.merge(part)

    def update(self, part: HostNetwork) -> None:
        with self.space.inside():
            self.network.update(part)

    def remove_server(self, server_id: str) -> None:
        with self.space.inside():
            self.network.remove_server(server_id)

    def audit(self) -> dict[str, list[str]]:
        with self.space.inside():
            return self.network.audit()

    def restart(self) -> None:
        """The agent ends and comes again; the host goes on."""
        self.network.close()
        self.network = self._made()
        with self.space.inside():
            self.network.resume()

    def purge(self) -> None:
        with self.space.inside():
            self.network.purge()


class Fleet:
    """Hosts on a wire, at the end of which is an outside that knows no way to the guests."""

    def __init__(self, folder: Path, count: int = 3) -> None:
        self.lab = Lab()
        self.wire = self.lab.space("wire")
        self.wire.run("ip", "link", "add", "wire", "type", "bridge")
        self.wire.run("ip", "addr", "add", f"{OUTSIDE}/24", "dev", "wire")
        self.wire.run("ip", "link", "set", "wire", "up")
        self.nodes = [self._node(number, folder / f"host{number}") for number in range(1, count + 1)]

    def _node(self, number: int, folder: Path) -> Node:
        space, address = self.lab.space(f"h{number}"), f"203.0.113.{number}"
        self.wire.run("ip", "link", "add", f"h{number}", "type", "veth", "peer", "name", "up0", "netns", space.name)
        self.wire.run("ip", "link", "set", f"h{number}", "master", "wire", "up")
        space.run("ip", "addr", "add", f"{address}/24", "dev", "up0")
        space.run("ip", "link", "set", "up0", "up")
        space.run("ip", "route", "add", "default", "via", OUTSIDE)
        return Node(space, HostNetworkSettings(data_dir=folder), address)

    def guest(self, node: Node, one: PortSpec) -> Guest:
        """A guest at a port of a host, with its address."""
        guest = self.lab.guest(one, node.space)
        guest.configure()
        return guest

    def guests(self, *ports: PortSpec) -> list[Guest]:
        """A guest at each port, on a host each, in order."""
        on = self.nodes[: len(ports)]
        for node, one in zip(on, ports, strict=True):
            node.merge(told(one, on=on))
        return [self.guest(node, one) for node, one in zip(on, ports, strict=True)]

    def close(self) -> None:
        try:
            for node in self.nodes:
                node.purge()
        finally:
            self.lab.close()


def told(*ports: PortSpec, on: list[Node], generation: int = 1, range_of: int | None = None) -> HostNetwork:
    """What a host is told of these ports, on networks that these hosts have."""
    tunnels = tuple(node.address for node in on)
    numbers = sorted({int(one.network_id[1:]) for one in ports})
    its = tuple(tunnelled(n, *tunnels, range_of=range_of, generation=generation) for n in numbers)
    return msgspec.structs.replace(share(*ports), networks=its)
