"""
Host aggregates: group hosts, say things of the group, and name zones by it.

A change is written first and looked at afterwards, in one transaction with its hosts locked: a host that would then be in two
zones, or would change its zone under the servers that it has, rolls everything back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import product

from kilonova.compute.boot_images import check_active, ref_of
from kilonova.compute.neighbours import Images
from kilonova.domain.aggregate import ZONE_KEY, Aggregate
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, Missing, Rejected
from kilonova.domain.host import Host
from kilonova.domain.machine import ImageRef
from kilonova.rpc.messages import CacheImage, FleetChanged
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import aggregates, host_access, hosts, servers
from kilonova.store.queries.counters import next_number


class ZoneRefused(Conflict):
    """409: the change would put a host in two zones, or move it from under its servers."""

    code = "conflict.zone"


class Aggregates:
    """Makes, changes and deletes host aggregates. Only operators get here."""

    def __init__(self, runtime: Runtime, *, images: Images) -> None:
        self._database, self._bus, self._clock, self._ids = runtime.db, runtime.bus, runtime.clock, runtime.ids
        self._images = images

    def create(self, name: str, zone: str | None) -> Aggregate:
        """A new one, without hosts. Raises Conflict for a name that is taken."""
        with self._database.write() as tx:
            _check_name(tx, name)
            new = Aggregate(
                id=self._ids.uuid(), number=next_number(tx, "aggregates"), name=name, hosts=(),
                metadata={} if zone is None else {ZONE_KEY: zone}, created_at=self._clock.now(), updated_at=None,
            )  # fmt: skip
            aggregates.add(tx, new)
        return new

    def rename(self, number: int, name: str) -> Aggregate:
        """Give it another name. Raises Missing, or Conflict for one that is taken."""
        with self._database.write() as tx:
            found = aggregates.get(tx, number, for_change=True)
            if name != found.name:
                _check_name(tx, name)
            aggregates.change(tx, found, self._clock.now(), name=name)
            return aggregates.get(tx, number)

    def describe(self, number: int, facts: Mapping[str, str | None]) -> Aggregate:
        """Set facts about it; None takes one away. Raises Missing, or ZoneRefused."""
        with self._database.write() as tx:
            found = aggregates.get(tx, number, for_change=True)
            kept = {key: value for key, value in {**found.metadata, **facts}.items() if value is not None}
            aggregates.change(tx, found, self._clock.now(), metadata=kept)
            now = aggregates.get(tx, number)
            self._settle(tx, found.hosts, zones_differ=now.zone != found.zone)
            return now

    def delete(self, number: int) -> None:
        """Delete it. Raises Missing, or Rejected while it has hosts."""
        with self._database.write() as tx:
            found = aggregates.get(tx, number, for_change=True)
            if found.hosts:
                raise Rejected(
                    f"Aggregate {number} is not empty: it has {len(found.hosts)} hosts.", next_step="Remove them first."
                )
            aggregates.remove(tx, found)

    def add_host(self, number: int, name: str) -> Aggregate:
        """Put a host in. Raises Missing, ZoneRefused, or Conflict when it is in already."""
        with self._database.write() as tx:
            found, host = aggregates.get(tx, number, for_change=True), _host(tx, name)
            if name in found.hosts:
                raise Conflict(f"Aggregate {number} already has host {name}.")
            aggregates.add_host(tx, found, host.id)
            self._settle(tx, (name,), zones_differ=found.zone is not None)
            return aggregates.get(tx, number)

    def remove_host(self, number: int, name: str) -> Aggregate:
        """Take a host out. Raises Missing, or ZoneRefused."""
        with self._database.write() as tx:
            found, host = aggregates.get(tx, number, for_change=True), _host(tx, name)
            if name not in found.hosts:
                raise Missing("Host", f"{name} in aggregate {number}")
            aggregates.remove_host(tx, found, host.id)
            self._settle(tx, (name,), zones_differ=found.zone is not None)
            return aggregates.get(tx, number)

    def regroup(self, tx: Tx, host: Host, wanted: Collection[str]) -> None:
        """Put a host into the aggregates of these ids, and no others. Raises ZoneRefused."""
        zones_differ = False
        for one in aggregates.every(tx, for_change=True):
            is_in = host.name in one.hosts
            if is_in == (one.id in wanted):
                continue
            zones_differ = zones_differ or one.zone is not None
            (aggregates.remove_host if is_in else aggregates.add_host)(tx, one, host.id)
        self._settle(tx, (host.name,), zones_differ=zones_differ)

    def cache_images(self, ctx: RequestContext, number: int, image_ids: Sequence[str]) -> None:
        """Have its hosts fetch images ahead of need. Raises Missing, or Rejected for images that cannot be had."""
        with self._database.read() as tx:
            names = aggregates.get(tx, number).hosts
        wanted = [self._image(ctx, image_id) for image_id in image_ids]
        with self._database.write() as tx:
            for image, name in product(wanted, names):
                host_access.grant_image(tx, name, image.id, self._clock.now())
                command = CacheImage(image=image, request_id=ctx.request_id)
                tx.after_commit(partial(self._bus.cast, f"agent.{name}", command))

    def _image(self, ctx: RequestContext, image_id: str) -> ImageRef:
        try:
            found = self._images.get(ctx, image_id)
        except Missing as problem:
            raise Rejected(problem.message) from None
        check_active(found)
        return ref_of(found)

    def _settle(self, tx: Tx, names: Sequence[str], *, zones_differ: bool) -> None:
        now = self._clock.now()
        if zones_differ:
            _settle_zones(tx, names, now)
        else:
            aggregates.touch(tx, names, now)
        tx.after_commit(lambda: self._bus.fanout("scheduler", FleetChanged()))


@contextmanager
def zone_refusals_as_rejected() -> Iterator[None]:
    """Nova answers 400 where a fact of the aggregate is what is refused, 409 where it is a host."""
    try:
        yield
    except ZoneRefused as problem:
        raise Rejected(problem.message, next_step=problem.next_step) from None


def _settle_zones(tx: Tx, names: Sequence[str], now: datetime) -> None:
    hosts.lock_some(tx, names)  # so that what is seen of their zones stays so
    torn = [name for name, zones in aggregates.zones(tx, names).items() if len(zones) > 1]
    if torn:
        raise ZoneRefused(f"Host {torn[0]} would be in two availability zones.", next_step="A host has one at most.")
    moved = aggregates.settle_zones(tx, names, now)
    busy = [name for name, held in servers.on_hosts(tx, moved).items() if held]
    if busy:
        raise ZoneRefused(
            f"Host {busy[0]} has servers, and would change its availability zone under them.",
            next_step="Migrate or delete its servers first.",
        )


def _check_name(tx: Tx, name: str) -> None:
    if aggregates.is_taken(tx, name):
        raise Conflict(f"Aggregate {name} already exists.")


def _host(tx: Tx, name: str) -> Host:
    found = hosts.lock(tx, name)
    if found is None:
        raise Missing("Compute host", name)
    return found
