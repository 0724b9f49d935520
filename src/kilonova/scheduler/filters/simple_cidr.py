"""SimpleCIDRAffinityFilter: hosts near an address, by hint."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import ClassVar, TypeAlias

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.plugin import Filter

Network: TypeAlias = IPv4Network | IPv6Network


class SimpleCIDRAffinityFilter(Filter):
    """`build_near_host_ip` and `cidr` (/24 when not said) name a network that the host's own address must be in."""

    name: ClassVar = "SimpleCIDRAffinityFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        network = _network(request)
        if network is None:
            return fleet.everyone
        return fleet.addresses.where(lambda address: _is_in(address, network))

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return f"their addresses are not in {_network(request)}"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return f"an address in {_network(request)}"


def _network(request: SchedulingRequest) -> Network | str | None:
    """The network that is asked for; its words, when they are none: no host is in that."""
    near, prefix = request.hints.get("build_near_host_ip"), request.hints.get("cidr", "/24")
    if not isinstance(near, str) or not isinstance(prefix, str):
        return None
    try:
        return ip_network(f"{near}/{prefix.lstrip('/')}", strict=False)
    except ValueError:
        return f"{near}{prefix}"


def _is_in(address: str, network: Network | str) -> bool:
    if isinstance(network, str):
        return False
    try:
        return ip_address(address) in network
    except ValueError:
        return False
