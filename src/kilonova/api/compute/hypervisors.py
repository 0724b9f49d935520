"""
Hypervisors: the hosts with their facts and use.

Until 2.52 they have numbers, and paths of their own for a search and for their servers; from 2.53 on UUIDs and query keys.
Capacity and use left with 2.88 for placement's API, and the uptime came into the view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from msgspec import UNSET

from kilonova.api.compute.common import one_more
from kilonova.api.compute.hypervisor_views import (
    HypervisorBrief,
    HypervisorView,
    Sizes,
    StatisticsView,
    UptimeView,
    brief_of,
    sizes_of,
    view_of,
)  # fmt: skip
from kilonova.api.framework import (
    Maybe,
    Meta,
    Page,
    PageQuery,
    Query,
    Request,
    Route,
    between,
    cut,
    next_links,
    read_paging,
    since,
    until,
)  # fmt: skip
from kilonova.api.framework.types import Flag, check_uuid
from kilonova.compute.uptime import ReadUptime
from kilonova.domain.errors import Missing, Rejected, Unavailable
from kilonova.domain.host import Host
from kilonova.runtime import Runtime
from kilonova.store.queries import hosts_view, servers
from kilonova.store.queries.keyset import Keyset
from kilonova.store.queries.servers import Brief

_RULE = "os_compute_api:os-hypervisors"


class ListHypervisors(Query, strict=since("2.53")):
    """Pages from 2.33 on, a search and the servers from 2.53 on."""

    limit: Annotated[Maybe[Annotated[int, Meta(ge=0)]], since("2.33")] = UNSET
    marker: Annotated[Maybe[Annotated[str, Meta(max_length=255)]], since("2.33")] = UNSET
    hypervisor_hostname_pattern: Annotated[Maybe[Annotated[str, Meta(min_length=1, max_length=255)]], since("2.53")] = (
        UNSET
    )
    with_servers: Annotated[Maybe[Flag], since("2.53")] = UNSET


class ShowHypervisor(Query, strict=since("2.53")):
    """With its servers, from 2.53 on."""

    with_servers: Annotated[Maybe[Flag], since("2.53")] = UNSET


class Hypervisors:
    """The resource. `_by_number` methods are of the time before UUIDs."""

    def __init__(self, runtime: Runtime, *, uptime: ReadUptime) -> None:
        self._database, self._clock, self._uptime = runtime.db, runtime.clock, uptime

    def index_by_number(self, req: Request[None, ListHypervisors]) -> Page:
        """The short list."""
        return self._briefs(req, by_uuid=False)

    def index(self, req: Request[None, ListHypervisors]) -> Page:
        """The short list."""
        return self._briefs(req, by_uuid=True)

    def detail_by_number(self, req: Request[None, ListHypervisors]) -> Page:
        """The list in detail."""
        return self._details(req, by_uuid=False, uptime=False)

    def detail(self, req: Request[None, ListHypervisors]) -> Page:
        """The list in detail."""
        return self._details(req, by_uuid=True, uptime=False)

    def detail_with_uptime(self, req: Request[None, ListHypervisors]) -> Page:
        """The list in detail, from 2.88 on."""
        return self._details(req, by_uuid=True, uptime=True)

    def show_by_number(self, req: Request[None, ShowHypervisor]) -> HypervisorView:
        """One."""
        return self._view(req, self._host(_number(req.path["hypervisor_id"])), uptime=False)

    def show(self, req: Request[None, ShowHypervisor]) -> HypervisorView:
        """One."""
        return self._view(req, self._host(_uuid(req.path["hypervisor_id"])), uptime=False)

    def show_with_uptime(self, req: Request[None, ShowHypervisor]) -> HypervisorView:
        """One, from 2.88 on."""
        return self._view(req, self._host(_uuid(req.path["hypervisor_id"])), uptime=True)

    def uptime_by_number(self, req: Request[None, Query]) -> UptimeView:
        """How long it has been up."""
        return self._uptime_of(req, self._host(_number(req.path["hypervisor_id"])))

    def uptime(self, req: Request[None, Query]) -> UptimeView:
        """How long it has been up."""
        return self._uptime_of(req, self._host(_uuid(req.path["hypervisor_id"])))

    def search(self, req: Request[None, Query]) -> Page:
        """Those with a text in their names."""
        return Page([brief_of(host, self._clock.now()) for host in self._matching(req.path["hypervisor_id"])])

    def servers(self, req: Request[None, Query]) -> Page:
        """Those with a text in their names, with their servers."""
        found = self._matching(req.path["hypervisor_id"])
        held = self._servers_on(found)
        return Page([brief_of(host, self._clock.now(), held[host.name] or None) for host in found])

    def statistics(self, req: Request[None, Query]) -> StatisticsView:
        """The sum of all that are enabled."""
        with self._database.read() as tx:
            found = [host for host in hosts_view.page_of(tx, Keyset()) if not host.disabled]
        sizes = [msgspec.structs.asdict(sizes_of(host)) for host in found]
        return StatisticsView(
            count=len(found), **{name: sum(one[name] for one in sizes) for name in Sizes.__struct_fields__}
        )

    def _briefs(self, req: Request[None, ListHypervisors], *, by_uuid: bool) -> Page:
        rows, held, links = self._page(req, by_uuid=by_uuid)
        return Page([brief_of(host, self._clock.now(), held.get(host.name)) for host in rows], links=links)

    def _details(self, req: Request[None, ListHypervisors], *, by_uuid: bool, uptime: bool) -> Page:
        rows, held, links = self._page(req, by_uuid=by_uuid)
        now = self._clock.now()
        shown = [view_of(host, now, held.get(host.name), self._uptime(host, now) if uptime else None) for host in rows]
        return Page(shown, links=links)

    def _page(
        self, req: Request[None, ListHypervisors], *, by_uuid: bool
    ) -> tuple[Sequence[Host], Mapping[str, list[Brief]], Any]:
        query = req.query
        name = None if query.hypervisor_hostname_pattern is UNSET else query.hypervisor_hostname_pattern
        paged = query.limit is not UNSET or query.marker is not UNSET
        if name is not None and paged:
            raise Rejected(
                "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported."
            )
        page = read_paging(PageQuery(limit=query.limit, marker=query.marker), default_sort=())
        if name is not None:
            rows: Sequence[Host] = self._matching(name)
            more = False
        else:
            with self._database.read() as tx:
                found = hosts_view.page_of(tx, one_more(page) if paged else Keyset(), by_uuid=by_uuid)
            rows, more = cut(found, page.limit) if paged else (found, False)
        held = self._servers_on(rows) if query.with_servers is True else {}
        marker = None if not more else rows[-1].id if by_uuid else str(rows[-1].number)
        return rows, held, next_links(req, marker)

    def _matching(self, name: str) -> list[Host]:
        with self._database.read() as tx:
            found = hosts_view.page_of(tx, Keyset(), name=name)
        if not found:
            raise Missing("Hypervisor matching", f"'{name[:255]}'")
        return found

    def _servers_on(self, found: Sequence[Host]) -> dict[str, list[Brief]]:
        with self._database.read() as tx:
            return servers.on_hosts(tx, [host.name for host in found])

    def _host(self, ident: str) -> Host:
        with self._database.read() as tx:
            return hosts_view.get(tx, ident)

    def _view(self, req: Request[None, ShowHypervisor], host: Host, *, uptime: bool) -> HypervisorView:
        now = self._clock.now()
        held = self._servers_on([host])[host.name] if req.query.with_servers is True else None
        return view_of(host, now, held, self._uptime(host, now) if uptime else None)

    def _uptime_of(self, req: Request[None, Query], host: Host) -> UptimeView:
        now = self._clock.now()
        text = self._uptime(host, now)
        if text is None:
            raise Unavailable(f"Host {host.name} does not answer.")
        brief = brief_of(host, now)
        return UptimeView(**msgspec.structs.asdict(brief), uptime=text)


def _number(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Missing("Hypervisor", text[:255])
    return text


def _uuid(text: str) -> str:
    try:
        return check_uuid(text)
    except ValueError as problem:
        raise Rejected(f"Invalid uuid: {problem}") from None


_NUMBERS, _UUIDS = until("2.52"), since("2.53")
_ALL, _ONE = "/os-hypervisors", "/os-hypervisors/{hypervisor_id}"
_LIST: dict[str, Any] = {
    "policy": f"{_RULE}:list", "query": ListHypervisors, "view": HypervisorBrief, "view_key": "hypervisors",
    "summary": "List hypervisors",
}  # fmt: skip
_DETAIL: dict[str, Any] = {**_LIST, "policy": f"{_RULE}:list-detail", "view": HypervisorView}
_SHOW: dict[str, Any] = {
    "policy": f"{_RULE}:show", "query": ShowHypervisor, "view": HypervisorView, "view_key": "hypervisor",
    "summary": "Show a hypervisor",
}  # fmt: skip
_UPTIME: dict[str, Any] = {
    "policy": f"{_RULE}:uptime",
    "view": UptimeView,
    "view_key": "hypervisor",
    "summary": "Show the uptime",
}
_NAMED: dict[str, Any] = {
    "versions": _NUMBERS, "view": HypervisorBrief, "view_key": "hypervisors", "summary": "Search hypervisors",
}  # fmt: skip

ROUTES = (
    Route("GET", _ALL, Hypervisors.index_by_number, versions=_NUMBERS, **_LIST),
    Route("GET", _ALL, Hypervisors.index, versions=_UUIDS, **_LIST),
    Route("GET", f"{_ALL}/detail", Hypervisors.detail_by_number, versions=_NUMBERS, **_DETAIL),
    Route("GET", f"{_ALL}/detail", Hypervisors.detail, versions=between("2.53", "2.87"), **_DETAIL),
    Route("GET", f"{_ALL}/detail", Hypervisors.detail_with_uptime, versions=since("2.88"), **_DETAIL),
    Route("GET", f"{_ALL}/statistics", Hypervisors.statistics, versions=until("2.87"), policy=f"{_RULE}:statistics",
          view=StatisticsView, view_key="hypervisor_statistics", summary="Sum up hypervisors"),
    Route("GET", _ONE, Hypervisors.show_by_number, versions=_NUMBERS, **_SHOW),
    Route("GET", _ONE, Hypervisors.show, versions=between("2.53", "2.87"), **_SHOW),
    Route("GET", _ONE, Hypervisors.show_with_uptime, versions=since("2.88"), **_SHOW),
    Route("GET", f"{_ONE}/uptime", Hypervisors.uptime_by_number, versions=_NUMBERS, **_UPTIME),
    Route("GET", f"{_ONE}/uptime", Hypervisors.uptime, versions=between("2.53", "2.87"), **_UPTIME),
    Route("GET", f"{_ONE}/search", Hypervisors.search, policy=f"{_RULE}:search", **_NAMED),
    Route("GET", f"{_ONE}/servers", Hypervisors.servers, policy=f"{_RULE}:servers", **_NAMED),
)  # fmt: skip
