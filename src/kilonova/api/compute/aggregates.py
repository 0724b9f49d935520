"""Host aggregates, which name zones and carry facts for the scheduler. From 2.41 on they show the UUID that Placement knows."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Params, Query, Reply, Request, Route, View, reads, since
from kilonova.api.framework.types import Name, Uuid, check_printable, iso_us
from kilonova.compute.aggregates import Aggregates as UseCases
from kilonova.compute.aggregates import zone_refusals_as_rejected
from kilonova.domain.aggregate import ZONE_KEY, Aggregate
from kilonova.domain.errors import Missing, Rejected
from kilonova.runtime import Runtime
from kilonova.store.queries import aggregates

_RULE = "os_compute_api:os-aggregates"
_IMAGES = "compute:aggregates:images"


def _zone_name(value: str) -> str:
    if ":" in value:
        raise ValueError("a zone's name has no ':', which parts it from a host's")
    return check_printable(value.strip())


def _stripped(value: str) -> str:
    found = check_printable(value.strip())
    if not found:
        raise ValueError("a name has more than blanks")
    return found


ZoneName = Annotated[str, Meta(min_length=1, max_length=255), reads(_zone_name)]
LooseName = Annotated[str, Meta(min_length=1, max_length=255), reads(_stripped)]
FactKey = Annotated[str, Meta(min_length=1, max_length=255), reads(check_printable)]
Fact = Annotated[str, Meta(max_length=255)]


class Look(Query, strict=since("2.102")):
    """Nothing is asked; before 2.102 anything may be."""


class CreateAggregate(Params):
    """A new aggregate."""

    name: Name
    availability_zone: Maybe[ZoneName | None] = UNSET


class UpdateAggregate(Params):
    """Another name, another zone, or both."""

    name: Maybe[LooseName] = UNSET
    availability_zone: Maybe[ZoneName | None] = UNSET


class NamedHost(Params):
    """A host by its name."""

    host: Annotated[str, Meta(min_length=1, max_length=255)]


class SetMetadata(Params):
    """Facts to set; null takes one away."""

    metadata: dict[FactKey, Fact | None]


class NamedImage(Params):
    """An image by its id."""

    id: Uuid


class CacheImages(Params):
    """Images to fetch ahead of need."""

    cache: Annotated[list[NamedImage], Meta(min_length=1)]


class AggregateView(View):
    """An aggregate; the answer to a create leaves hosts and metadata out."""

    id: int
    uuid: Annotated[str, since("2.41")]
    name: str
    availability_zone: str | None
    created_at: str | None
    updated_at: str | None
    hosts: Maybe[list[str]] = UNSET
    metadata: Maybe[dict[str, str]] = UNSET
    deleted: bool = False
    deleted_at: str | None = None


class Aggregates:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, use_cases: UseCases) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def index(self, req: Request[None, Look]) -> list[AggregateView]:
        """Every one."""
        with self._database.read() as tx:
            return [_view(one) for one in aggregates.every(tx)]

    def show(self, req: Request[None, Look]) -> AggregateView:
        """One."""
        with self._database.read() as tx:
            return _view(aggregates.get(tx, _number(req)))

    def create(self, req: Request[CreateAggregate, Query]) -> AggregateView:
        """Make one."""
        zone = req.params.availability_zone
        view = _view(self._use_cases.create(req.params.name, None if zone is UNSET else zone))
        view.hosts = view.metadata = UNSET
        return view

    def update(self, req: Request[UpdateAggregate, Query]) -> AggregateView:
        """Change its name or its zone."""
        sent, number = req.params, _number(req)
        if sent.name is UNSET and sent.availability_zone is UNSET:
            raise Rejected("No updates were requested. Send 'name' or 'availability_zone'.")
        with zone_refusals_as_rejected():
            if sent.availability_zone is not UNSET:
                found = self._use_cases.describe(number, {ZONE_KEY: sent.availability_zone})
        if sent.name is not UNSET:
            found = self._use_cases.rename(number, sent.name)
        return _view(found)

    def delete(self, req: Request[None, Query]) -> None:
        """Delete one."""
        self._use_cases.delete(_number(req))

    def add_host(self, req: Request[NamedHost, Query]) -> AggregateView:
        """Put a host in."""
        return _view(self._use_cases.add_host(_number(req), req.params.host))

    def remove_host(self, req: Request[NamedHost, Query]) -> AggregateView:
        """Take a host out."""
        return _view(self._use_cases.remove_host(_number(req), req.params.host))

    def set_metadata(self, req: Request[SetMetadata, Query]) -> AggregateView:
        """Set facts about it."""
        facts = req.params.metadata
        zone = facts.get(ZONE_KEY)
        if zone is not None and (not zone.strip() or ":" in zone):
            raise Rejected("The availability_zone of an aggregate has a name, without ':'. Send null to take it away.")
        with zone_refusals_as_rejected():
            return _view(self._use_cases.describe(_number(req), facts))

    def images(self, req: Request[CacheImages, Query]) -> Reply:
        """Have its hosts fetch images."""
        wanted = [one.id for one in req.params.cache]
        if len(set(wanted)) < len(wanted):
            raise Rejected("Duplicate images in request.")
        self._use_cases.cache_images(req.ctx, _number(req), wanted)
        return Reply(None)


def _number(req: Request[Any, Any]) -> int:
    text = req.path["id"]
    if not (text.isascii() and text.isdigit()):
        raise Rejected(f"Invalid aggregate id: {text[:64]!r} is not a number.")
    if len(text) >= 10:
        raise Missing("Aggregate", text[:64])
    return int(text)


def _view(one: Aggregate) -> AggregateView:
    return AggregateView(
        id=one.number, uuid=one.id, name=one.name, availability_zone=one.zone, created_at=iso_us(one.created_at),
        updated_at=iso_us(one.updated_at), hosts=list(one.hosts), metadata=one.metadata,
    )  # fmt: skip


_ALL, _ONE, _ACTION = "/os-aggregates", "/os-aggregates/{id}", "/os-aggregates/{id}/action"
_SHOWN: dict[str, Any] = {"view": AggregateView, "view_key": "aggregate"}

ROUTES = (
    Route("GET", _ALL, Aggregates.index, policy=f"{_RULE}:index", query=Look, view=AggregateView, view_key="aggregates",
          summary="List aggregates"),
    Route("POST", _ALL, Aggregates.create, policy=f"{_RULE}:create", params=CreateAggregate, params_key="aggregate",
          summary="Create an aggregate", **_SHOWN),
    Route("GET", _ONE, Aggregates.show, policy=f"{_RULE}:show", query=Look, summary="Show an aggregate", **_SHOWN),
    Route("PUT", _ONE, Aggregates.update, policy=f"{_RULE}:update", params=UpdateAggregate, params_key="aggregate",
          summary="Update an aggregate", **_SHOWN),
    Route("DELETE", _ONE, Aggregates.delete, policy=f"{_RULE}:delete", summary="Delete an aggregate"),
    Route("POST", _ACTION, Aggregates.add_host, action="add_host", policy=f"{_RULE}:add_host", params=NamedHost,
          summary="Put a host into an aggregate", **_SHOWN),
    Route("POST", _ACTION, Aggregates.remove_host, action="remove_host", policy=f"{_RULE}:remove_host", params=NamedHost,
          summary="Take a host out of an aggregate", **_SHOWN),
    Route("POST", _ACTION, Aggregates.set_metadata, action="set_metadata", policy=f"{_RULE}:set_metadata",
          params=SetMetadata, summary="Set facts about an aggregate", **_SHOWN),
    Route("POST", f"{_ONE}/images", Aggregates.images, versions=since("2.81"), status=202, policy=_IMAGES,
          params=CacheImages, summary="Fetch images ahead of need"),
)  # fmt: skip
