"""
A network's dnsmasq, as text: its configuration, and which port gets which address and name. Pure.

It hands out what our records say and nothing else (`static` ranges, `dhcp-ignore` of strangers), so an address is known before
its guest boots. IPv6 is stateful DHCPv6, announced by router advertisements that offer no way out: the host does not route
IPv6, and a guest must not believe so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kilonova.agent.network.devices import service_address
from kilonova.agent.network.firewall.forwarding import METADATA_ADDRESS
from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.hostnet import NetworkSpec, PortSpec, SubnetSpec

_LEASE_S = 86400
_OPTION = re.compile(r"[a-z0-9][a-z0-9-]*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Folder:
    """Where a network's dnsmasq keeps its files."""

    path: Path

    @property
    def config(self) -> Path:
        """What it is started with; also how we know it among processes."""
        return self.path / "dnsmasq.conf"

    @property
    def hosts(self) -> Path:
        """MAC, addresses and name of each port (`dhcp-hostsfile`)."""
        return self.path / "hosts"

    @property
    def names(self) -> Path:
        """Address and name of each port (`addn-hosts`)."""
        return self.path / "names"

    @property
    def options(self) -> Path:
        """What some ports are told besides (`dhcp-optsfile`)."""
        return self.path / "options"

    @property
    def leases(self) -> Path:
        """What it has handed out."""
        return self.path / "leases"

    @property
    def pid(self) -> Path:
        """Its process id."""
        return self.path / "pid"


@dataclass(frozen=True)
class DhcpPlan:
    """The contents of the files that we write."""

    config: str
    hosts: str
    names: str
    options: str


def plan_dhcp(
    network: NetworkSpec, ports: Sequence[PortSpec], folder: Folder, user: str, upstream: Path | None = None
) -> DhcpPlan | None:
    """
    What serves `network`; None when none of its subnets is served.

    `upstream`: the file that names the servers it asks for names it does not know (None: the machine's resolv.conf).
    """
    served = [one for one in network.subnets if one.dhcp and (one.gateway is not None or one.ip_version == 4)]
    if not served:
        return None
    return DhcpPlan(
        config="\n".join([*_config(network, folder, user), *_upstream(upstream), *_ranges(network, served), ""]),
        hosts="".join(f"{line}\n" for port in ports for line in _host(port, served)),
        names="".join(f"{line}\n" for port in ports for line in _names(port)),
        options="".join(f"{line}\n" for port in ports for line in _options_of(port)),
    )


def addresses_in(host_line: str) -> set[str]:
    """The addresses that a line of the hosts file gives away."""
    return {
        str(ip_address(found))
        for found in re.findall(r"\[([^]]+)]|(?:^|,)(\d+\.\d+\.\d+\.\d+)(?:,|$)", host_line)
        for found in found
        if found
    }


def _config(network: NetworkSpec, folder: Folder, user: str) -> list[str]:
    return [
        f"# Network {network.id}. Kilonova writes this file; what is changed here is lost.",
        f"user={user}",
        f"pid-file={folder.pid}",
        f"interface={network.bridge}",
        "except-interface=lo",
        "bind-dynamic",
        "no-hosts",
        f"addn-hosts={folder.names}",
        f"dhcp-hostsfile={folder.hosts}",
        f"dhcp-optsfile={folder.options}",
        f"dhcp-leasefile={folder.leases}",
        # After a restart it may not know a guest's lease, and the records still say that it is right.
        "dhcp-authoritative",
        "dhcp-ignore=tag:!known",
        "no-ping",
        "quiet-dhcp",
        "quiet-dhcp6",
        "quiet-ra",
        # Names without a domain and private reverse names are ours to know; upstream must not be asked for them.
        "domain-needed",
        "bogus-priv",
    ]


def _upstream(file: Path | None) -> list[str]:
    return [] if file is None else [f"resolv-file={file}"]


def _ranges(network: NetworkSpec, served: Iterable[SubnetSpec]) -> Iterator[str]:
    announced = False
    for index, subnet in enumerate(served):
        tag = f"subnet{index}"
        span = ip_network(subnet.cidr)
        if span.version == 4:
            yield f"dhcp-range=set:{tag},{span.network_address},static,{span.netmask},{_LEASE_S}"
            yield from _options4(network, subnet, tag)
        else:
            announced = True
            yield f"dhcp-range=set:{tag},{span.network_address},static,{span.prefixlen},{_LEASE_S}"
            servers = ",".join(f"[{ip_address(server)}]" for server in subnet.dns if ":" in server)
            yield f"dhcp-option=tag:{tag},option6:dns-server,{servers or '[::]'}"
    if announced:
        yield "enable-ra"
        yield f"ra-param={network.bridge},mtu:{network.mtu},600,0"


def _options4(network: NetworkSpec, subnet: SubnetSpec, tag: str) -> Iterator[str]:
    server = ip_address(subnet.gateway) if subnet.gateway is not None else service_address(network.id)
    servers = ",".join(str(ip_address(server)) for server in subnet.dns if ":" not in server)
    routes = [(f"{METADATA_ADDRESS}/32", str(server)), *subnet.routes]
    if subnet.gateway is not None:
        # A guest that takes these routes ignores the router option (RFC 3442), so the default route is among them.
        routes.append(("0.0.0.0/0", str(server)))
        yield f"dhcp-option=tag:{tag},option:router,{server}"
    else:
        routes.insert(0, (f"{server}/32", "0.0.0.0"))  # noqa: S104 - on this very link
        yield f"shared-network={network.bridge},{ip_network(subnet.cidr).network_address}"
        yield f"dhcp-option=tag:{tag},option:router"
    listed = ",".join(f"{ip_network(target)},{ip_address(hop)}" for target, hop in routes if ":" not in target)
    yield f"dhcp-option=tag:{tag},option:dns-server,{servers or server}"
    yield f"dhcp-option=tag:{tag},option:classless-static-route,{listed}"
    yield f"dhcp-option=tag:{tag},option:mtu,{network.mtu}"


def _host(port: PortSpec, served: Sequence[SubnetSpec]) -> Iterator[str]:
    """One line a port: dnsmasq gives a machine one address per IP version, its first; the config drive tells it of more."""
    ranges = [ip_network(subnet.cidr) for subnet in served]
    addresses = [ip_address(address) for address in port.addresses]
    mine = [address for address in addresses if any(address in span for span in ranges)]
    first4 = next((str(address) for address in mine if address.version == 4), None)
    first6 = next((f"[{address}]" for address in mine if address.version == 6), None)
    given = [item for item in (first4, first6) if item is not None]
    if given:
        tag = [f"set:{port.tap}"] if port.dhcp_options else []
        yield ",".join([port.mac.lower(), *tag, *given, *_name(port)])


def _options_of(port: PortSpec) -> Iterator[str]:
    """Options come from users: a name is a name or a number, a value is one line; dnsmasq passes over what it does not know."""
    for name, value, version in port.dhcp_options:
        if _OPTION.fullmatch(name) and value.isprintable():
            kind = "option6" if version == 6 else "option"
            yield f"tag:{port.tap},{kind}:{name},{value}"


def _names(port: PortSpec) -> Iterator[str]:
    for name in _name(port):
        for address in port.addresses:
            yield f"{ip_address(address)} {name}"


def _name(port: PortSpec) -> list[str]:
    """The host name's first label, if it is one: it goes into files where a stray comma or space would mean something."""
    label = port.hostname.partition(".")[0]
    return [label] if _LABEL.fullmatch(label) else []
