"""
Services of the cloud: list, switch, delete.

Until 2.52 a service was named by host and binary, and there was a path for each switch; from 2.53 on it has a UUID and one PUT.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Params, Query, Request, Route, View, between, since, until, wire
from kilonova.api.framework.types import Flag, check_uuid, iso_us
from kilonova.compute.services import ServiceChange, SwitchServices
from kilonova.domain.errors import Rejected
from kilonova.domain.host import ServiceRecord, is_alive
from kilonova.runtime import Runtime
from kilonova.store.queries import services

_RULE = "os_compute_api:os-services"
HostText = Annotated[str, Meta(min_length=1, max_length=255)]
Reason = Annotated[str, Meta(min_length=1, max_length=255)]


class ListServices(Query, strict=since("2.75")):
    """Filters."""

    host: Maybe[str] = UNSET
    binary: Maybe[str] = UNSET


class NameService(Params):
    """A service by host and binary; the reason is only read where there is one to give."""

    host: HostText
    binary: HostText
    disabled_reason: Maybe[Reason] = UNSET


class DisableService(Params):
    """A service, and why it is disabled."""

    host: HostText
    binary: HostText
    disabled_reason: Reason


class ForceDown(Params):
    """A service, and whether it counts as down."""

    host: HostText
    binary: HostText
    forced_down: Flag


class UpdateService(Params):
    """What is to change of a service named by its UUID."""

    status: Maybe[Literal["enabled", "disabled"]] = UNSET
    disabled_reason: Maybe[Reason] = UNSET
    forced_down: Maybe[Flag] = UNSET


class ServiceView(View):
    """A service."""

    id: Annotated[str, since("2.53")]
    number: Annotated[int, wire("id"), until("2.52")]
    binary: str
    host: str
    zone: str
    status: str
    state: str
    disabled_reason: str | None
    updated_at: str | None
    forced_down: Annotated[bool, since("2.11")]


class SwitchedView(View):
    """What the old switches answered."""

    binary: str
    host: str
    status: Maybe[str] = UNSET
    disabled_reason: Maybe[str | None] = UNSET
    forced_down: Maybe[bool] = UNSET


class Services:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, switch: SwitchServices) -> None:
        self._database, self._clock, self._switch = runtime.db, runtime.clock, switch

    def index(self, req: Request[None, ListServices]) -> list[ServiceView]:
        """Every service, or those of a host or binary."""
        host = None if req.query.host is UNSET else req.query.host
        binary = None if req.query.binary is UNSET else req.query.binary
        with self._database.read() as tx:
            found = services.listed(tx, host=host, binary=binary)
        return [_view(one, self._clock.now()) for one in found]

    def enable(self, req: Request[NameService, Query]) -> SwitchedView:
        """Let servers go there again."""
        self._by_name(req, ServiceChange(disabled=False))
        return SwitchedView(binary=req.params.binary, host=req.params.host, status="enabled")

    def disable(self, req: Request[NameService, Query]) -> SwitchedView:
        """Let no new servers go there."""
        self._by_name(req, ServiceChange(disabled=True))
        return SwitchedView(binary=req.params.binary, host=req.params.host, status="disabled")

    def disable_with_reason(self, req: Request[DisableService, Query]) -> SwitchedView:
        """Let no new servers go there, and say why."""
        sent = req.params
        self._by_name(req, ServiceChange(disabled=True, reason=sent.disabled_reason))
        return SwitchedView(binary=sent.binary, host=sent.host, status="disabled", disabled_reason=sent.disabled_reason)

    def force_down(self, req: Request[ForceDown, Query]) -> SwitchedView:
        """Say that a host is down, or no longer."""
        sent = req.params
        self._by_name(req, ServiceChange(forced_down=sent.forced_down))
        return SwitchedView(binary=sent.binary, host=sent.host, forced_down=sent.forced_down)

    def update(self, req: Request[UpdateService, Query]) -> ServiceView:
        """Switch a service named by its UUID."""
        sent, ident = req.params, _uuid(req.path["service_id"])
        reason = None if sent.disabled_reason is UNSET else sent.disabled_reason
        if reason is not None and sent.status != "disabled":
            raise Rejected("Specifying disabled_reason requires that status is disabled.")
        if sent.status is UNSET and sent.forced_down is UNSET:
            raise Rejected("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
        change = ServiceChange(
            disabled=None if sent.status is UNSET else sent.status == "disabled", reason=reason,
            forced_down=None if sent.forced_down is UNSET else sent.forced_down,
        )  # fmt: skip
        return _view(self._switch.by_id(ident, change), self._clock.now())

    def delete_by_number(self, req: Request[None, Query]) -> None:
        """Delete a service by its old id."""
        ident = req.path["service_id"]
        if not (ident.isascii() and ident.isdigit()):
            raise Rejected(f"Invalid service id: {ident[:64]!r} is not a number.")
        self._switch.delete(ident)

    def delete(self, req: Request[None, Query]) -> None:
        """Delete a service that is gone for good."""
        self._switch.delete(_uuid(req.path["service_id"]))

    def _by_name(self, req: Request[Any, Any], change: ServiceChange) -> None:
        self._switch.by_name(req.params.host, req.params.binary, change)


def _uuid(text: str) -> str:
    try:
        return check_uuid(text)
    except ValueError as problem:
        raise Rejected(f"Invalid id: {problem}") from None


def _view(one: ServiceRecord, now: datetime) -> ServiceView:
    alive = is_alive(one.seen_at, now, forced_down=one.forced_down)
    return ServiceView(
        id=one.id, number=one.number, binary=one.binary, host=one.host, zone=one.zone,
        status="disabled" if one.disabled else "enabled", state="up" if alive else "down",
        disabled_reason=one.disabled_reason, updated_at=iso_us(one.seen_at), forced_down=one.forced_down,
    )  # fmt: skip


_OLD: dict[str, Any] = {
    "versions": until("2.52"), "policy": f"{_RULE}:update", "view": SwitchedView, "view_key": "service",
    "summary": "Switch a service",
}  # fmt: skip

ROUTES = (
    Route("GET", "/os-services", Services.index, policy=f"{_RULE}:list", query=ListServices, view=ServiceView,
          view_key="services", summary="List services"),
    Route("PUT", "/os-services/enable", Services.enable, params=NameService, **_OLD),
    Route("PUT", "/os-services/disable", Services.disable, params=NameService, **_OLD),
    Route("PUT", "/os-services/disable-log-reason", Services.disable_with_reason, params=DisableService, **_OLD),
    Route("PUT", "/os-services/force-down", Services.force_down, params=ForceDown,
          **{**_OLD, "versions": between("2.11", "2.52")}),
    Route("PUT", "/os-services/{service_id}", Services.update, versions=since("2.53"), policy=f"{_RULE}:update",
          params=UpdateService, view=ServiceView, view_key="service", summary="Switch a service"),
    Route("DELETE", "/os-services/{service_id}", Services.delete_by_number, versions=until("2.52"), status=204,
          policy=f"{_RULE}:delete", summary="Delete a service"),
    Route("DELETE", "/os-services/{service_id}", Services.delete, versions=since("2.53"), status=204,
          policy=f"{_RULE}:delete", summary="Delete a service"),
)  # fmt: skip
