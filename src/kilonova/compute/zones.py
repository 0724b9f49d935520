"""Availability zones as users ask for them: a zone, or an administrator's `zone:host:node`."""

from __future__ import annotations

import msgspec

from kilonova.domain.errors import Rejected
from kilonova.store.database import Tx
from kilonova.store.queries import hosts_view


class ZoneChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server was asked to go; None is anywhere."""

    zone: str | None = None
    host: str | None = None
    node: str | None = None

    @property
    def is_forced(self) -> bool:
        """Whether a host or node is named."""
        return self.host is not None or self.node is not None


def parse_zone(text: str | None) -> ZoneChoice:
    """Read `zone`, `zone:host`, `zone::node` or `zone:host:node`. Raises Rejected for more parts than that."""
    parts = [part or None for part in (text or "").split(":")]
    if len(parts) > 3:
        raise Rejected("Unable to parse availability_zone: expected ZONE:HOST:NODE.")
    zone, host, node = [*parts, None, None][:3]
    return ZoneChoice(zone=zone, host=host, node=node)


def check_zone(tx: Tx, choice: ZoneChoice) -> str | None:
    """See that zone, host and node exist and agree. Returns the forced host's name. Raises Rejected."""
    name = choice.host or choice.node
    if choice.zone is None and name is None:
        return None
    places = hosts_view.zones(tx)
    if choice.zone is not None and choice.zone not in places.values():
        raise Rejected(
            "The requested availability zone is not available",
            next_step="See the zones with GET /os-availability-zone.",
        )
    if name is None:
        return None
    if name not in places:
        raise Rejected(f"Compute host {name[:255]} could not be found.")
    if choice.host and choice.node and choice.host != choice.node:
        raise Rejected(f"Hypervisor {choice.node[:255]} is not on host {choice.host[:255]}.")
    if choice.zone is not None and places[name] != choice.zone:
        raise Rejected(f"Host {name} is not in the availability zone {choice.zone}.")
    return name
