"""
What operators may change of hosts through Placement: ratios, reserves, traits, aggregates. The rest is read-only there.

One ledger: a provider is a host, an allocation is a server's claim. A host's sizes are facts that its agent found, hosts come
and go with their agents, and claims are made and given back by sagas, so those cannot be written here; each refusal says who
does it.

Every change names the generation it was made for. Claims raise it too, so a change can be refused because a server came or went.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from kilonova.compute.aggregates import Aggregates
from kilonova.domain.errors import Conflict, Missing, Rejected
from kilonova.domain.resource import DISABLED_TRAIT, DISK_GB, MEMORY_MB, VCPU, Provider, inventories_of
from kilonova.rpc.messages import FleetChanged
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import aggregates, providers

_COLUMNS: Mapping[str, tuple[str, str | None]] = {
    VCPU: ("cpu_ratio", None),
    MEMORY_MB: ("ram_ratio", "ram_mib_reserved"),
    DISK_GB: ("disk_ratio", "disk_gib_reserved"),
}


class ConcurrentUpdate(Conflict):
    """409: the provider or consumer is not of the generation that the change was made for."""

    code = "conflict.generation"
    placement_code = "placement.concurrent_update"


class WantedInventory(msgspec.Struct, frozen=True, kw_only=True):
    """An inventory as it is to be, with Placement's defaults."""

    total: int
    reserved: int = 0
    allocation_ratio: float = 1.0


class Providers:
    """Changes resource providers, inventories, traits and classes. Only operators get here."""

    def __init__(self, runtime: Runtime, *, aggregates: Aggregates) -> None:
        self._database, self._bus, self._clock, self._aggregates = runtime.db, runtime.bus, runtime.clock, aggregates

    def set_inventories(self, host_id: str, generation: int, wanted: Mapping[str, WantedInventory]) -> Provider:
        """Set ratios and reserves. Raises Missing, Rejected, or Conflict for a size that is not the host's."""
        with self._database.write() as tx:
            found = providers.get(tx, host_id)
            values: dict[str, Any] = {}
            for name, one in wanted.items():
                values |= _columns(found, name, one)
            self._advance(tx, host_id, generation, **values)
            return providers.get(tx, host_id)

    def set_traits(self, host_id: str, generation: int, names: Collection[str], known: Collection[str]) -> Provider:
        """Replace what is said of a host, beside what its agent found. Raises Missing, Rejected or Conflict."""
        with self._database.write() as tx:
            found = providers.get(tx, host_id)
            unknown = sorted(set(names) - {*known, *providers.custom(tx, "traits")})
            if unknown:
                raise Rejected(f"No such trait {', '.join(unknown[:5])}.")
            facts = {*found.host.facts.traits, DISABLED_TRAIT}
            self._advance(tx, host_id, generation)
            providers.say_traits(tx, host_id, sorted(set(names) - facts))
            return providers.get(tx, host_id)

    def set_aggregates(self, host_id: str, generation: int | None, wanted: Collection[str]) -> Provider:
        """Put a host into these aggregates and no others. Raises Missing, Rejected for unknown ones, or Conflict."""
        with self._database.write() as tx:
            # Locked now, for hosts are locked after aggregates.
            found, known = providers.get(tx, host_id), {one.id for one in aggregates.every(tx, for_change=True)}
            unknown = sorted(set(wanted) - known)
            if unknown:
                raise Rejected(
                    f"No aggregate has the id {unknown[0]}.", next_step="Make it first, with POST /os-aggregates."
                )
            self._advance(tx, host_id, found.host.generation if generation is None else generation)
            self._aggregates.regroup(tx, found.host, wanted)
            return providers.get(tx, host_id)

    def add_name(self, kind: str, name: str) -> bool:
        """Add a custom trait or resource class; False when it was there."""
        with self._database.write() as tx:
            return providers.add_custom(tx, kind, name, self._clock.now())

    def remove_name(self, kind: str, name: str) -> None:
        """Take a custom trait or resource class away. Raises Missing, or Conflict for a trait that a host has."""
        with self._database.write() as tx:
            if kind == "traits" and providers.trait_in_use(tx, name):
                raise Conflict(f"The trait {name} is in use by a resource provider.")
            if not providers.remove_custom(tx, kind, name):
                raise Missing("Trait" if kind == "traits" else "Resource class", name)

    def _advance(self, tx: Tx, host_id: str, generation: int, **values: Any) -> None:
        if not providers.advance(tx, host_id, generation, self._clock.now(), **values):
            raise _changed(host_id)
        tx.after_commit(lambda: self._bus.fanout("scheduler", FleetChanged()))


def _changed(host_id: str) -> ConcurrentUpdate:
    return ConcurrentUpdate(
        f"Resource provider {host_id} has changed since it was read.",
        next_step="Read it again and retry with its generation.",
    )


def _columns(found: Provider, name: str, wanted: WantedInventory) -> dict[str, Any]:
    held = inventories_of(found.host).get(name)
    if held is None:
        raise Conflict(f"{found.host.name} has no {name}: the inventories of a host are what its agent found.")
    if wanted.total != held.total:
        raise Conflict(
            f"{found.host.name} has {held.total} of {name}, not {wanted.total}.",
            next_step="Its agent says so, and nobody else can.",
        )
    if wanted.reserved > held.total:
        raise Rejected(f"Of {name} no more can be reserved than there is, {held.total}.")
    ratio, reserved = _COLUMNS[name]
    if reserved is None:
        if wanted.reserved:
            raise Conflict(f"Nothing can be reserved of {name}.", next_step="Lower its allocation_ratio.")
        return {ratio: wanted.allocation_ratio}
    return {ratio: wanted.allocation_ratio, reserved: wanted.reserved}
