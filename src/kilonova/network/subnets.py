"""Making, changing and deleting subnets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.domain.addresses import ip_network
from kilonova.domain.context import RequestContext
from kilonova.domain.network import Network, Subnet
from kilonova.domain.reserved import Range
from kilonova.network import quotas, subnet_rules
from kilonova.network.changes import Changes
from kilonova.network.errors import GatewayIpInUse, InvalidInput, SubnetInUse
from kilonova.network.networks import MIN_MTU_IPV6
from kilonova.network.scoping import found, owner
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import networks, subnets


class NewSubnet(msgspec.Struct, frozen=True, kw_only=True):
    """A subnet as asked for; a gateway of None is none, UNSET the first address; pools UNSET are all the others."""

    network_id: str
    cidr: str
    ip_version: int
    project_id: str | None = None
    name: str = ""
    description: str = ""
    gateway: str | UnsetType | None = UNSET
    dhcp: bool = True
    pools: tuple[tuple[str, str], ...] | UnsetType = UNSET
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    ipv6_ra_mode: str | None = None
    ipv6_address_mode: str | None = None
    tags: tuple[str, ...] = ()


class Subnets:
    """
    The verbs of subnets. Raises the errors of `network.errors` and `subnet_rules`, Missing and OverQuota.

    `reserved`: the operator's own ranges, which no subnet may overlap.
    """

    def __init__(self, runtime: Runtime, changes: Changes, reserved: Sequence[Range] = ()) -> None:
        self._runtime, self._changes, self._reserved = runtime, changes, reserved

    def create(self, ctx: RequestContext, wanted: Sequence[NewSubnet]) -> list[Subnet]:
        """Make all of these subnets, or none."""
        with self._runtime.db.write() as tx:
            made = [self._create(tx, ctx, one) for one in wanted]
            quotas.settle(tx, Counter((one.project_id, "subnet") for one in made))
            return made

    def _create(self, tx: Tx, ctx: RequestContext, wanted: NewSubnet) -> Subnet:
        # The lock keeps two overlapping subnets from being made at the same time.
        network = found(networks.find(tx, ctx, wanted.network_id, lock=True), "Network", wanted.network_id)
        range_ = subnet_rules.read_cidr(wanted.cidr, wanted.ip_version, dhcp=wanted.dhcp)
        subnet_rules.check_allowed(range_, self._reserved)
        _check_mtu(network, wanted.ip_version)
        subnet_rules.check_apart(range_, subnets.of_networks(tx, [network.id])[network.id])
        subnet_rules.check_modes(wanted.ip_version, wanted.ipv6_ra_mode, wanted.ipv6_address_mode, dhcp=wanted.dhcp)
        gateway = _gateway(range_, wanted.gateway)
        pools = (
            subnet_rules.default_pools(range_, gateway)
            if wanted.pools is UNSET
            else subnet_rules.check_pools(range_, wanted.pools, gateway)
        )
        project_id = owner(ctx, wanted.project_id)
        now = self._runtime.clock.now()
        fields = msgspec.structs.asdict(wanted) | {
            "id": self._runtime.ids.uuid(), "project_id": project_id, "cidr": str(range_), "gateway": gateway, "pools": pools,
            "dns": subnet_rules.check_name_servers(wanted.dns, wanted.ip_version),
            "routes": subnet_rules.check_routes(wanted.routes, wanted.ip_version), "created_at": now, "updated_at": now,
        }  # fmt: skip
        subnet = Subnet(**fields)
        subnets.create(tx, subnet)
        self._changes.of_network(tx, network.id)
        return subnet

    def update(self, ctx: RequestContext, subnet_id: str, changes: Mapping[str, Any]) -> Subnet:
        """Write changed fields; addresses that were given stay given."""
        with self._runtime.db.write() as tx:
            before = found(subnets.find(tx, ctx, subnet_id, lock=True), "Subnet", subnet_id)
            subnets.change(tx, subnet_id, _checked(tx, before, changes), self._runtime.clock.now())
            self._changes.of_network(tx, before.network_id)
            return found(subnets.find(tx, ctx, subnet_id), "Subnet", subnet_id)

    def delete(self, ctx: RequestContext, subnet_id: str) -> None:
        """Delete a subnet that no port has an address of."""
        with self._runtime.db.write() as tx:
            subnet = found(subnets.find(tx, ctx, subnet_id, lock=True), "Subnet", subnet_id)
            if subnets.is_used(tx, subnet_id):
                raise SubnetInUse(subnet_id)
            subnets.delete(tx, subnet_id)
            self._changes.of_network(tx, subnet.network_id)


def _check_mtu(network: Network, version: int) -> None:
    if version == 6 and network.mtu < MIN_MTU_IPV6:
        raise InvalidInput("ip_version", f"IPv6 needs an MTU of {MIN_MTU_IPV6}, and the network's is {network.mtu}")


def _gateway(range_: Range, asked: str | UnsetType | None) -> str | None:
    if asked is None:
        return None
    return subnet_rules.first_gateway(range_) if asked is UNSET else subnet_rules.check_gateway(range_, asked)


def _checked(tx: Tx, before: Subnet, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes in canonical form, each checked against what stays."""
    range_ = ip_network(before.cidr)
    checked = dict(changes)
    gateway = before.gateway
    if changes.get("gateway") is not None:
        gateway = checked["gateway"] = subnet_rules.check_gateway(range_, changes["gateway"])
        if gateway != before.gateway and subnets.taken(tx, before.id, [gateway]):
            raise GatewayIpInUse(f"Current gateway ip {gateway} already in use by a port. Unable to update.")
    elif "gateway" in changes:
        gateway = None
    if "pools" in changes:
        checked["pools"] = subnet_rules.check_pools(range_, changes["pools"], gateway)
    else:
        subnet_rules.check_gateway_outside(before.pools, gateway)
    if "dns" in changes:
        checked["dns"] = subnet_rules.check_name_servers(changes["dns"], before.ip_version)
    if "routes" in changes:
        checked["routes"] = subnet_rules.check_routes(changes["routes"], before.ip_version)
    if changes.get("dhcp") is True:
        subnet_rules.read_cidr(before.cidr, before.ip_version, dhcp=True)
    return checked
