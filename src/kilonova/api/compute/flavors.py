"""Flavors: list, show, create, describe, delete."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from kilonova.api.compute.common import Link, links, one_more, or_none
from kilonova.api.compute.patterns import check_pattern
from kilonova.api.framework import (
    Maybe,
    Meta,
    Page,
    Params,
    Query,
    Request,
    Route,
    SortedPageQuery,
    View,
    cut,
    next_links,
    read_paging,
    reads,
    since,
    until,
    wire,
)  # fmt: skip
from kilonova.api.framework.types import Flag, IntLike, Name, check_printable, read_flag, read_int
from kilonova.compute.flavors import Flavors as FlavorUseCases
from kilonova.compute.flavors import NewFlavor
from kilonova.domain.errors import InvalidField
from kilonova.domain.flavor import Flavor
from kilonova.runtime import Runtime
from kilonova.store.database import Database
from kilonova.store.queries import flavors
from kilonova.store.queries.flavors import FlavorFilter

_MANAGE = "os_compute_api:os-flavor-manage"
_SPECS = "os_compute_api:os-flavor-extra-specs:index"
SORT_NAMES = {
    "created_at": "created_at", "description": "description", "disabled": "disabled", "ephemeral_gb": "ephemeral_gib",
    "flavorid": "id", "id": "id", "is_public": "is_public", "memory_mb": "ram_mib", "name": "name", "root_gb": "disk_gib",
    "rxtx_factor": "rxtx_factor", "swap": "swap_mib", "updated_at": "updated_at", "vcpu_weight": "vcpus", "vcpus": "vcpus",
    "vcpu": "vcpus",
}  # fmt: skip
_MAX_FLOAT = 3.40282e38


def _positive_float(value: Any) -> float:
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise ValueError("this is not a number") from None
    if not 0 < found <= _MAX_FLOAT:
        raise ValueError(f"must be more than 0 and at most {_MAX_FLOAT}")
    return found


def _flavor_id(value: Any) -> str:
    found = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if found != found.strip() or not 1 <= len(found) <= 255:
        raise ValueError("an id has 1 to 255 characters and no blanks at its ends")
    if not all(ch.isalnum() or ch in "._- " for ch in found):
        raise ValueError("an id has letters, digits, periods, dashes, underscores and spaces only")
    return found


FromOne = Annotated[IntLike, Meta(ge=1, le=2**31 - 1)]
FromZero = Annotated[IntLike, Meta(ge=0, le=2**31 - 1)]
Description = Annotated[str, Meta(max_length=65535), reads(check_printable)]


class CreateFlavor(Params):
    """A new flavor; RAM and swap in MiB, disks in GiB."""

    name: Name
    ram: FromOne
    vcpus: FromOne
    disk: FromZero
    id: Maybe[Annotated[str, reads(_flavor_id, str | int | float)] | None] = UNSET
    ephemeral: Annotated[FromZero, wire("OS-FLV-EXT-DATA:ephemeral")] = 0
    swap: FromZero = 0
    rxtx_factor: Annotated[Maybe[Annotated[float, reads(_positive_float, float | int | str)]], until("2.101")] = UNSET
    is_public: Annotated[Flag, wire("os-flavor-access:is_public")] = True
    description: Annotated[Maybe[Description | None], since("2.55")] = UNSET


class UpdateFlavor(Params):
    """The only thing of a flavor that can change."""

    description: Description | None


class ListFlavors(SortedPageQuery, strict=since("2.75")):
    """Filters. `is_public` is an administrator's; `none` means both."""

    is_public: Maybe[str] = UNSET
    min_ram: Annotated[Maybe[str], wire("minRam")] = UNSET
    min_disk: Annotated[Maybe[str], wire("minDisk")] = UNSET
    name: Annotated[Maybe[str], since("2.102")] = UNSET


class BriefFlavor(View):
    """A line of the short list."""

    id: str
    name: str
    links: list[Link]
    description: Annotated[str | None, since("2.55")]


class FlavorView(BriefFlavor):
    """A flavor in detail. Swap 0 is an empty string until 2.74."""

    ram: int
    disk: int
    vcpus: int
    swap_or_nothing: Annotated[int | str, wire("swap"), until("2.74")]
    swap: Annotated[int, since("2.75")]
    ephemeral: Annotated[int, wire("OS-FLV-EXT-DATA:ephemeral")]
    is_public: Annotated[bool, wire("os-flavor-access:is_public")]
    rxtx_factor: Annotated[float, until("2.101")]
    disabled: Annotated[bool, wire("OS-FLV-DISABLED:disabled"), until("2.101")]
    extra_specs: Annotated[Maybe[dict[str, str]], since("2.61")] = UNSET


class Flavors:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, use_cases: FlavorUseCases) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def index(self, req: Request[None, ListFlavors]) -> Page:
        """The short list."""
        rows, next_page = self._page(req)
        shown = [
            BriefFlavor(id=f.id, name=f.name, links=links(req, "flavors", f.id), description=f.description)
            for f in rows
        ]
        return Page(shown, links=next_page)

    def detail(self, req: Request[None, ListFlavors]) -> Page:
        """The list in detail."""
        rows, next_page = self._page(req)
        sees_specs = req.can(_SPECS)
        return Page([flavor_view(req, row, specs=sees_specs) for row in rows], links=next_page)

    def show(self, req: Request[None, Query]) -> FlavorView:
        """One flavor."""
        return flavor_view(req, find_flavor(self._database, req), specs=req.can(_SPECS))

    def create(self, req: Request[CreateFlavor, Query]) -> FlavorView:
        """Make a flavor."""
        sent = req.params
        new = NewFlavor(
            name=sent.name, id=None if or_none(sent.id) in (None, "auto") else str(sent.id), vcpus=sent.vcpus, ram_mib=sent.ram,
            disk_gib=sent.disk, ephemeral_gib=sent.ephemeral, swap_mib=sent.swap,
            rxtx_factor=1.0 if sent.rxtx_factor is UNSET else sent.rxtx_factor, is_public=sent.is_public,
            description=or_none(sent.description),
        )  # fmt: skip
        return flavor_view(req, self._use_cases.create(new), specs=req.can(_SPECS))

    def describe(self, req: Request[UpdateFlavor, Query]) -> FlavorView:
        """Change its description."""
        found = self._use_cases.describe(req.path["flavor_id"], req.params.description)
        return flavor_view(req, found, specs=req.can(_SPECS))

    def delete(self, req: Request[None, Query]) -> None:
        """Delete it; servers that came from it keep their own copy."""
        self._use_cases.delete(req.path["flavor_id"])

    def _page(self, req: Request[None, ListFlavors]) -> tuple[Any, Any]:
        page = read_paging(req.query, sortable=SORT_NAMES, default_sort=(("flavorid", "asc"),))
        if req.query.sort_dir is UNSET:
            page = msgspec.structs.replace(page, sort=tuple((name, "asc") for name, _ in page.sort))
        keyset = one_more(page, tuple((SORT_NAMES[name], way) for name, way in page.sort))
        with self._database.read() as tx:
            found = flavors.page_of(tx, req.ctx.project_id, _filter(req.query), keyset, every=req.ctx.is_admin)
        rows, has_more = cut(found, page.limit)
        return rows, next_links(req, rows[-1].id if has_more else None)


def find_flavor(database: Database, req: Request[Any, Any]) -> Flavor:
    """The flavor of the path, if the caller may see it. Raises Missing."""
    with database.read() as tx:
        return flavors.get(tx, req.path["flavor_id"], project_id=req.ctx.project_id, every=req.ctx.is_admin)


def flavor_view(req: Request[Any, Any], flavor: Flavor, *, specs: bool) -> FlavorView:
    """A flavor in detail; `specs`: with its extra specs."""
    return FlavorView(
        id=flavor.id, name=flavor.name, links=links(req, "flavors", flavor.id), description=flavor.description,
        ram=flavor.ram_mib, disk=flavor.disk_gib, vcpus=flavor.vcpus, swap=flavor.swap_mib,
        swap_or_nothing=flavor.swap_mib or "", ephemeral=flavor.ephemeral_gib, is_public=flavor.is_public,
        rxtx_factor=flavor.rxtx_factor, disabled=flavor.disabled, extra_specs=flavor.extra_specs if specs else UNSET,
    )  # fmt: skip


def _filter(query: ListFlavors) -> FlavorFilter:
    return FlavorFilter(
        is_public=_public(or_none(query.is_public)), min_ram_mib=_least("minRam", query.min_ram),
        min_disk_gib=_least("minDisk", query.min_disk),
        name=None if query.name is UNSET else check_pattern("name", query.name),
    )  # fmt: skip


def _public(sent: str | None) -> bool | None:
    if sent is None:
        return True
    if sent.lower() == "none":
        return None
    try:
        return read_flag(sent)
    except ValueError as problem:
        raise InvalidField("is_public", str(problem)) from None


def _least(name: str, sent: Any) -> int | None:
    if sent is UNSET:
        return None
    try:
        found = read_int(sent)
    except ValueError as problem:
        raise InvalidField(name, str(problem)) from None
    if abs(found) > 2**31 - 1:
        raise InvalidField(name, f"{found} is too large")
    return found


ROUTES = (
    Route("GET", "/flavors", Flavors.index, query=ListFlavors, view=BriefFlavor, view_key="flavors", summary="List flavors"),
    Route("GET", "/flavors/detail", Flavors.detail, query=ListFlavors, view=FlavorView, view_key="flavors",
          summary="List flavors in detail"),
    Route("GET", "/flavors/{flavor_id}", Flavors.show, view=FlavorView, view_key="flavor", summary="Show a flavor"),
    Route("POST", "/flavors", Flavors.create, policy=f"{_MANAGE}:create", params=CreateFlavor, params_key="flavor",
          view=FlavorView, view_key="flavor", summary="Create a flavor"),
    Route("PUT", "/flavors/{flavor_id}", Flavors.describe, versions=since("2.55"), policy=f"{_MANAGE}:update",
          params=UpdateFlavor, params_key="flavor", view=FlavorView, view_key="flavor", summary="Describe a flavor"),
    Route("DELETE", "/flavors/{flavor_id}", Flavors.delete, status=202, policy=f"{_MANAGE}:delete",
          summary="Delete a flavor"),
)  # fmt: skip
