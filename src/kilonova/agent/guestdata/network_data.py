"""network_data.json: a server's interfaces as OpenStack tells a guest of them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from kilonova.domain.hostnet import tap_name
from kilonova.domain.machine import GuestLink


def network_data(links: Sequence[GuestLink]) -> dict[str, Any]:
    """The document: links (layer 2), networks (an address each) and services (DNS)."""
    addresses = [(link, address) for link in links for address in link.addresses]
    return {
        "links": [_link(link) for link in links],
        "networks": [_network(link, address, f"network{i}") for i, (link, address) in enumerate(addresses)],
        "services": [_dns(address) for address in dict.fromkeys(dns for link in links for dns in link.dns)],
    }


def _link(link: GuestLink) -> dict[str, Any]:
    return {
        "id": tap_name(link.port_id),
        "vif_id": link.port_id,
        "type": "bridge",
        "mtu": link.mtu,
        "ethernet_mac_address": link.mac,
    }


def _network(link: GuestLink, address: str, name: str) -> dict[str, Any]:
    """One address; a guest that is to ask DHCP for it is told no more than that."""
    interface = ipaddress.ip_interface(address)
    family = f"ipv{interface.version}"
    network: dict[str, Any] = {"id": name, "link": tap_name(link.port_id), "network_id": link.network_id}
    if link.dhcp:
        return network | {"type": f"{family}_dhcp"}
    static = {"type": family, "ip_address": str(interface.ip), "netmask": str(interface.netmask)}
    return network | static | {"routes": _routes(link, interface.version), "services": [_dns(dns) for dns in link.dns]}


def _routes(link: GuestLink, version: int) -> list[dict[str, str]]:
    if link.gateway is None or ipaddress.ip_address(link.gateway).version != version:
        return []
    anywhere = "0.0.0.0" if version == 4 else "::"  # noqa: S104 - a route's destination, nothing is bound to it
    return [{"network": anywhere, "netmask": anywhere, "gateway": link.gateway}]


def _dns(address: str) -> dict[str, str]:
    return {"type": "dns", "address": address}
