"""Availability zones: their names for everybody, what is in them for operators."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from kilonova.api.framework import Query, Request, Route, View, wire
from kilonova.api.framework.types import iso_us
from kilonova.domain.host import ServiceRecord, is_alive
from kilonova.runtime import Runtime
from kilonova.store.queries import services

_RULE = "os_compute_api:os-availability-zone"


class ZoneState(View):
    """Whether new servers can go there."""

    available: bool


class ServiceState(View):
    """Whether a service is enabled, and whether it is alive."""

    active: bool
    available: bool
    updated_at: str | None


class ZoneView(View):
    """A zone; `hosts` by name and binary, for operators."""

    name: Annotated[str, wire("zoneName")]
    state: Annotated[ZoneState, wire("zoneState")]
    hosts: dict[str, dict[str, ServiceState]] | None


class Zones:
    """The resource."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._clock = runtime.db, runtime.clock

    def index(self, req: Request[None, Query]) -> list[ZoneView]:
        """The zones servers can go to."""
        return self._zones(detail=False)

    def detail(self, req: Request[None, Query]) -> list[ZoneView]:
        """Every zone with its hosts, the control plane's included."""
        return self._zones(detail=True)

    def _zones(self, *, detail: bool) -> list[ZoneView]:
        with self._database.read() as tx:
            found = services.listed(tx)
        shown = found if detail else [one for one in found if one.binary == services.COMPUTE]
        names = sorted({one.zone for one in shown})
        return [
            _zone(name, [one for one in shown if one.zone == name], self._clock.now(), detail=detail) for name in names
        ]


def _zone(name: str, members: Iterable[ServiceRecord], now: datetime, *, detail: bool) -> ZoneView:
    hosts: dict[str, dict[str, ServiceState]] = {}
    for one in members:
        alive = is_alive(one.seen_at, now, forced_down=one.forced_down)
        state = ServiceState(active=not one.disabled, available=alive, updated_at=iso_us(one.seen_at))
        hosts.setdefault(one.host, {})[one.binary] = state
    available = any(state.active for held in hosts.values() for state in held.values())
    return ZoneView(name=name, state=ZoneState(available=available), hosts=hosts if detail else None)


ROUTES = (
    Route("GET", "/os-availability-zone", Zones.index, policy=f"{_RULE}:list", view=ZoneView, view_key="availabilityZoneInfo",
          summary="List availability zones"),
    Route("GET", "/os-availability-zone/detail", Zones.detail, policy=f"{_RULE}:detail", view=ZoneView,
          view_key="availabilityZoneInfo", summary="List availability zones in detail"),
)  # fmt: skip
