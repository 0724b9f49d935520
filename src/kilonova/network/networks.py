"""Making, changing and deleting networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict
from kilonova.domain.network import Network
from kilonova.domain.reserved import Range
from kilonova.network import quotas, segments
from kilonova.network.changes import Changes
from kilonova.network.errors import InvalidInput, NetworkInUse
from kilonova.network.scoping import found, owner
from kilonova.network.segments import FLAT, MAX_VNI, VXLAN, VXLAN_BYTES, Vnis
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import networks, subnets

MIN_MTU = 68
MIN_MTU_IPV6 = 1280


class NetworkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the hosts of this cloud can carry. `kind`: what a network is when nobody says; `max_mtu`: of the wire between hosts, in
    bytes; `vnis`: the ids that VXLAN networks are given; `reserved`: ranges that no subnet may overlap.
    """

    kinds: tuple[str, ...] = (FLAT, VXLAN)
    kind: str = FLAT
    max_mtu: int = 1500
    vnis: Vnis = (10_000, 75_534)
    reserved: tuple[Range, ...] = ()

    def mtu_of(self, kind: str) -> int:
        """The largest packet, in bytes, that a network of this kind carries whole."""
        return self.max_mtu - (VXLAN_BYTES if kind == VXLAN else 0)


class NewNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """A network as asked for; without a `kind` it is of the cloud's own."""

    project_id: str | None = None
    name: str = ""
    description: str = ""
    admin_up: bool = True
    shared: bool = False
    external: bool = False
    is_default: bool = False
    port_security: bool = True
    mtu: int | None = None
    kind: str | None = None
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

    def __init__(self, runtime: Runtime, changes: Changes, settings: NetworkSettings) -> None:
        self._runtime, self._changes, self._settings = runtime, changes, settings

    def create(self, ctx: RequestContext, wanted: Sequence[NewNetwork]) -> list[Network]:
        """Make all of these networks, or none."""
        with self._runtime.db.write() as tx:
            made = [self._create(tx, ctx, one) for one in wanted]
            quotas.settle(tx, Counter((one.project_id, "network") for one in made))
            return made

    def _create(self, tx: Tx, ctx: RequestContext, wanted: NewNetwork) -> Network:
        kind = wanted.kind or self._settings.kind
        self._check_provider(kind, wanted)
        self._check_mtu(kind, wanted.mtu)
        _check_zones(tx, wanted.zone_hints)
        project_id = owner(ctx, wanted.project_id)
        now = self._runtime.clock.now()
        fields = msgspec.structs.asdict(wanted) | {
            "id": self._runtime.ids.uuid(), "project_id": project_id, "kind": kind,
            "mtu": wanted.mtu or self._settings.mtu_of(kind), "created_at": now, "updated_at": now,
        }  # fmt: skip
        return segments.create(tx, Network(**fields), self._settings.vnis)

    def update(self, ctx: RequestContext, network_id: str, changes: Mapping[str, Any]) -> Network:
        """Write changed fields."""
        with self._runtime.db.write() as tx:
            before = found(networks.find(tx, ctx, network_id, lock=True), "Network", network_id)
            if "mtu" in changes:
                self._check_mtu(before.kind, changes["mtu"])
                self._check_mtu_of_subnets(tx, network_id, changes["mtu"])
            if before.shared and changes.get("shared") is False:
                self._check_unshare(tx, before)
            networks.change(tx, network_id, changes, self._runtime.clock.now())
            self._changes.of_network(tx, network_id)
            return found(networks.find(tx, ctx, network_id), "Network", network_id)

    def delete(self, ctx: RequestContext, network_id: str) -> None:
        """Delete a network with its subnets."""
        with self._runtime.db.write() as tx:
            found(networks.find(tx, ctx, network_id, lock=True), "Network", network_id)
            if networks.has_ports(tx, network_id):
                raise NetworkInUse(network_id)
            networks.delete(tx, network_id)

    def _check_provider(self, kind: str, wanted: NewNetwork) -> None:
        if kind not in self._settings.kinds:
            raise InvalidInput(
                "provider:network_type",
                f"the hosts of this cloud carry networks of type {', '.join(self._settings.kinds)}, not {kind}",
            )
        if wanted.physical is not None:
            raise InvalidInput(
                "provider:physical_network",
                "the hosts of this cloud have no named uplinks: networks reach the outside by NAT",
            )
        if wanted.segment is not None and kind != VXLAN:
            raise InvalidInput("provider:segmentation_id", f"a {kind} network has none")
        if wanted.segment is not None and not 1 <= wanted.segment <= MAX_VNI:
            raise InvalidInput("provider:segmentation_id", f"{wanted.segment} is not between 1 and {MAX_VNI}")

    def _check_mtu(self, kind: str, mtu: int | None) -> None:
        largest = self._settings.mtu_of(kind)
        if mtu is not None and not MIN_MTU <= mtu <= largest:
            raise InvalidInput("mtu", f"{mtu} is not between {MIN_MTU} and {largest}")

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
