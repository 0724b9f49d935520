"""
The scheduler: answers `Place` on the topic `scheduler` from a picture of the fleet that it keeps.

Two things move the picture. Claims and releases are fanned out (`FleetUse`) and folded in one host at a time. And every few
seconds, or when hosts are said to have changed (`FleetChanged`), the records are read: their pulse, which is cheap, and all of
them only when the pulse says that more than use and heartbeats differ. So a lost message costs seconds, never more.

A yes may be given on an old picture, for the claim is verified in the records and there are alternates. A no is final for the
user, so it is never given on an old picture: a request that finds no host has the records read first, and is decided again.
Requests that fail together share one reading: each waits for one that began after it came.

Any number of threads may ask at once, and any number of schedulers may run; nothing is agreed between them but the records.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import msgspec
import structlog

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.clock import Clock
from kilonova.domain.placement import Decision
from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import FleetChanged, FleetUse, Message, Place, Placed, PlacedSome, PlaceSome
from kilonova.scheduler.fleet import Beat, fleet_of
from kilonova.scheduler.host_context import context_columns, groups_of
from kilonova.scheduler.live import LiveFleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.ranking import counting
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.scheduler.what_if import one_after_another
from kilonova.store.database import Database
from kilonova.store.queries import fleet as fleet_queries
from kilonova.store.queries import hosts, providers

_log = structlog.get_logger(__name__)
_LATELY = timedelta(minutes=10)  # a build that failed longer ago is forgiven
_SHARE = 20  # reading a very large fleet takes no more than this part of the time


class SchedulerService:
    """One scheduler. Made stopped; raises Rejected when its settings name filters or weighers that are not there."""

    def __init__(
        self, db: Database, bus: Bus, clock: Clock, settings: SchedulerSettings, rng: random.Random | None = None
    ) -> None:
        self._db, self._bus, self._clock, self._settings = db, bus, clock, settings
        self._rng = rng or random.Random()  # noqa: S311 - spreads servers, guards nothing
        self._profile = profile_of(settings)
        self._live = LiveFleet(fleet_of((), clock.now()), self._profile, settings.cache_mib)
        self._reading = threading.Lock()
        self._begun = self._done = 0  # readings of the records, by number
        self._wake = threading.Event()
        self._cancel_timer: Callable[[], None] | None = None
        self._stopping = False
        self._stops: list[Callable[[], None]] = []

    def start(self) -> None:
        """Read the fleet, then serve."""
        self.refresh()
        thread = threading.Thread(target=self._keep_fresh, name="scheduler-refresh", daemon=True)
        thread.start()
        self._stops = [self._bus.serve("scheduler", self.handle, workers=self._settings.workers), thread.join]

    def stop(self) -> None:
        """Stop serving. Decisions under way are answered."""
        self._stopping = True
        self._wake.set()
        for stop in self._stops:
            stop()
        self._stops = []
        if self._cancel_timer is not None:
            self._cancel_timer()

    def place(self, request: SchedulingRequest) -> Decision:
        """Where a server is to go, and why there. Decides only: the claim is made by who asks."""
        return self._decide(request, self._live.choose)

    def what_if(self, request: SchedulingRequest, count: int) -> tuple[Decision, ...]:
        """Where `count` servers of one request would go one after another, up to the first that finds no host."""
        group = request.hints.get("group")
        if isinstance(group, str) and group not in self._live.fleet.groups:
            # It is newer than the picture. A boot learns of it at the claim.
            self.refresh(unless_begun_after=self._begun)
        first = self._decide(request, self._live.decide)
        return one_after_another(self._live, self._look_up(request), first, count, self._rng)

    def refresh(self, *, unless_begun_after: int | None = None) -> None:
        """Read the records; not again, when a reading has begun after the one of that number and is done."""
        with self._reading:
            if unless_begun_after is not None and self._done > unless_begun_after:
                return
            self._begun += 1
            self._read()
            self._done = self._begun

    def _read(self) -> None:
        with self._db.read() as tx:
            now = self._clock.now()
            counted = counting(self._live.fleet, self._profile)
            with_images = any(each.reads_images for each in counted)
            read = fleet_queries.host_context(tx, now - _LATELY, with_images=with_images)
            is_as_it_was = self._live.beat(Beat.of(fleet_queries.pulse(tx), now))
            fleet = None if is_as_it_was else fleet_of(hosts.every(tx), now, said=providers.said_traits(tx))
        if fleet is not None:
            self._live.replace(replace(fleet, context=context_columns(fleet.roster, read)))
        roster = self._live.fleet.roster
        self._live.set_context(context_columns(roster, read), groups_of(roster, read.groups, read.in_groups))

    def _decide(
        self, request: SchedulingRequest, decide: Callable[[SchedulingRequest, random.Random], Decision]
    ) -> Decision:
        before = self._begun
        request = self._look_up(request)
        decision = decide(request, self._rng)
        if not decision.candidates:
            self.refresh(unless_begun_after=before)
            decision = decide(request, self._rng)
        return decision

    def _look_up(self, request: SchedulingRequest) -> SchedulingRequest:
        """The request with the hosts of those servers that its hints name."""
        named = {hint: request.hints[hint] for hint in ("same_host", "different_host") if request.hints.get(hint)}
        if not named:
            return request
        with self._db.read() as tx:
            found = {
                hint: fleet_queries.hosts_of_servers(tx, [ids] if isinstance(ids, str) else ids)
                for hint, ids in named.items()
            }
        return msgspec.structs.replace(request, hosts_of_hints=found)

    def handle(self, message: Message) -> Message | None:
        match message:
            case Place():
                return Placed(decision=self.place(message.request), request_id=message.request_id)
            case PlaceSome():
                decisions = self.what_if(message.request, message.count)
                return PlacedSome(decisions=decisions, request_id=message.request_id)
            case FleetUse():
                self._live.apply(message.use)
            case FleetChanged():
                self._wake.set()
            case _:
                _log.warning("a message that a scheduler does not know", message=type(message).__name__)
        return None

    def _keep_fresh(self) -> None:
        """Read the records whenever woken, by the clock or by a change; changes that come while reading share the next one."""
        pause_s = self._settings.refresh_s
        while not self._stopping:
            if self._cancel_timer is None:
                self._cancel_timer = self._clock.call_later(pause_s, self._time_is_up)
            self._wake.wait()
            self._wake.clear()
            if self._stopping:
                return
            began = self._clock.monotonic()
            try:
                self.refresh()
            except Exception:  # noqa: BLE001 - the records cannot be read now; the picture stays, and the next pass tries again
                _log.exception("the fleet could not be read")
            pause_s = max(self._settings.refresh_s, _SHARE * (self._clock.monotonic() - began))

    def _time_is_up(self) -> None:
        self._cancel_timer = None
        self._wake.set()
