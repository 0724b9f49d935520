"""Making, changing and deleting networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict
from kilonova.domain.network import Network
from kilonova.network import quotas
from kilonova.network.backing import Backing, found, owner
from kilonova.network.errors import InvalidInput, NetworkInUse
from kilonova.store.database import Tx
from kilonova.store.queries import networks, subnets

MIN_MTU = 68
MIN_MTU_IPV6 = 1280


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the hosts of this cloud can carry; `max_mtu` in bytes."""

    kinds: tuple[str, ...] = ("flat",)
    max_mtu: int = 1500


class NewNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A network as asked for."""

    project_id: str | None = None
    name: str = ""
    description: str = ""
    admin_up: bool = True
    shared: bool = False
    external: bool = False
    is_default: bool = False
    port_security: bool = True
    mtu: int | None = None
    kind: str = "flat"
    physical: str | None = None
    segment: int | None = None
    dns_domain: str = ""
    zone_hints: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class SharedNetworkInUse(Conflict):
    """409: other projects have ports on a network that is to be shared no longer."""

    code = "network.shared_in_use"


class Networks:
    """The verbs of networks. Raises the errors of `network.errors`, Missing and OverQuota."""

    def __init__(self, backing: Backing, settings: NetworkSettings) -> None:
        self._backing, self._settings = backing, settings

    def create(self, ctx: RequestContext, wanted: Sequence[NewNetwork]) -> list[Network]:
        """Make all of these networks, or none."""
        with self._backing.database.write() as tx:
            return [self._create(tx, ctx, one) for one in wanted]

    def _create(self, tx: Tx, ctx: RequestContext, wanted: NewNetwork) -> Network:
        self._check_provider(wanted)
        self._check_mtu(wanted.mtu)
        _check_zones(tx, wanted.zone_hints)
        project_id = owner(ctx, wanted.project_id)
        quotas.check(tx, project_id, "network", 1)
        now = self._backing.clock.now()
        fields = msgspec.structs.asdict(wanted) | {
            "id": self._backing.ids.uuid(), "project_id": project_id, "mtu": wanted.mtu or self._settings.max_mtu,
            "created_at": now, "updated_at": now,
        }  # fmt: skip
        network = Network(**fields)
        networks.create(tx, network)
        return network

    def update(self, ctx: RequestContext, network_id: str, changes: Mapping[str, Any]) -> Network:
        """Write changed fields."""
        with self._backing.database.write() as tx:
            before = found(networks.find(tx, ctx, network_id, lock=True), "Network", network_id)
            if "mtu" in changes:
                self._check_mtu(changes["mtu"])
                self._check_mtu_of_subnets(tx, network_id, changes["mtu"])
            if before.shared and changes.get("shared") is False:
                self._check_unshare(tx, before)
            networks.change(tx, network_id, changes, self._backing.clock.now())
            self._backing.notifier.network_changed(tx, network_id)
            return found(networks.find(tx, ctx, network_id), "Network", network_id)

    def delete(self, ctx: RequestContext, network_id: str) -> None:
        """Delete a network with its subnets."""
        with self._backing.database.write() as tx:
            found(networks.find(tx, ctx, network_id, lock=True), "Network", network_id)
            if networks.has_ports(tx, network_id):
                raise NetworkInUse(network_id)
            networks.delete(tx, network_id)

    def _check_provider(self, wanted: NewNetwork) -> None:
        if wanted.kind not in self._settings.kinds:
            raise InvalidInput(
                "provider:network_type",
                f"the hosts of this cloud carry networks of type {', '.join(self._settings.kinds)}, not {wanted.kind}",
            )
        if wanted.physical is not None:
            raise InvalidInput(
                "provider:physical_network",
                "the hosts of this cloud have no named uplinks: networks reach the outside by NAT",
            )
        if wanted.segment is not None:
            raise InvalidInput("provider:segmentation_id", f"a {wanted.kind} network has none")

    def _check_mtu(self, mtu: int | None) -> None:
        if mtu is not None and not MIN_MTU <= mtu <= self._settings.max_mtu:
            raise InvalidInput("mtu", f"{mtu} is not between {MIN_MTU} and {self._settings.max_mtu}")

    def _check_mtu_of_subnets(self, tx: Tx, network_id: str, mtu: int) -> None:
        is_ipv6 = any(one.ip_version == 6 for one in subnets.of_networks(tx, [network_id])[network_id])
        if is_ipv6 and mtu < MIN_MTU_IPV6:
            raise InvalidInput("mtu", f"{mtu} is below {MIN_MTU_IPV6}, which the network's IPv6 subnets need")

    def _check_unshare(self, tx: Tx, network: Network) -> None:
        if networks.has_ports(tx, network.id, not_of=network.project_id):
            raise SharedNetworkInUse(
                f"Unable to reconfigure sharing settings for network {network.id}. Multiple tenants are using it."
            )


def _check_zones(tx: Tx, hints: Sequence[str]) -> None:
    unknown = set(hints) - set(networks.zones(tx)) if hints else set()
    if unknown:
        raise InvalidInput("availability_zone_hints", f"there is no availability zone {', '.join(sorted(unknown))}")
