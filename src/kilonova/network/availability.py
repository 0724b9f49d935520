"""How many addresses there are, and how many are given."""

from __future__ import annotations

import msgspec

from kilonova.domain.addresses import ip_network
from kilonova.domain.context import RequestContext
from kilonova.domain.network import Network, Subnet
from kilonova.network import numbers, subnet_rules
from kilonova.store.database import Tx
from kilonova.store.queries import networks, subnets
from kilonova.store.queries.network_rows import Listing


class SubnetUse(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses of one subnet: all, those in its pools, and the given ones."""

    subnet: Subnet
    total: int
    total_in_pools: int
    used: int


class NetworkUse(msgspec.Struct, frozen=True, kw_only=True):
    """A network and its subnets' use."""

    network: Network
    subnets: tuple[SubnetUse, ...]


def of_networks(tx: Tx, ctx: RequestContext, listing: Listing) -> list[NetworkUse]:
    """The use of the networks a listing asks for."""
    found = networks.page(tx, ctx, listing)
    its = subnets.of_networks(tx, [network.id for network in found])
    given = subnets.given(tx, [subnet.id for of in its.values() for subnet in of])
    return [
        NetworkUse(network=network, subnets=tuple(_use(subnet, given[subnet.id]) for subnet in its[network.id]))
        for network in found
    ]


def _use(subnet: Subnet, given: list[str]) -> SubnetUse:
    first, last = subnet_rules.usable(ip_network(subnet.cidr))
    return SubnetUse(subnet=subnet, total=last - first + 1, total_in_pools=numbers.size(subnet.pools), used=len(given))
