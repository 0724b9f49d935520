"""
Lists of servers.

Who may use which filter, and what an unknown status is, changed with the microversions: each stretch has its rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

from kilonova.api.compute.common import links, one_more
from kilonova.api.compute.servers import filters, views
from kilonova.api.compute.servers.filters import ListServers
from kilonova.api.compute.servers.render import Rendering
from kilonova.api.framework import (
    Page,
    Request,
    Route,
    VersionRange,
    between,
    cut,
    next_links,
    read_paging,
    since,
    until,
)
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied
from kilonova.runtime import Runtime
from kilonova.store.queries import servers
from kilonova.store.queries.keyset import Keyset
from kilonova.store.queries.server_filters import ServerFilter

_RULE = "os_compute_api:servers"
_Asked: TypeAlias = Request[None, ListServers]
_Rendered: TypeAlias = tuple[Sequence[Any], str | None]


class Rules(NamedTuple):
    """How lists behave in a stretch of versions."""

    open_to_all: frozenset[str]
    refuse_unknown_status: bool


_EARLY = Rules(filters.OPEN_EARLY, refuse_unknown_status=False)
_WITH_IP6 = Rules(filters.OPEN_FROM_2_5, refuse_unknown_status=False)
_STRICT = Rules(filters.OPEN_FROM_2_5, refuse_unknown_status=True)
_OPEN = Rules(filters.OPEN_FROM_2_83, refuse_unknown_status=True)


class ServerLists:
    """The short list and the one in detail, by each stretch's rules."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._clock = runtime.db, runtime.clock

    def index_early(self, req: _Asked) -> Page:
        """Until 2.4: ip6 is an administrator's filter."""
        return self._list(req, _EARLY, "index", self._briefs)

    def index_with_ip6(self, req: _Asked) -> Page:
        """Until 2.37: a status that is none finds nothing."""
        return self._list(req, _WITH_IP6, "index", self._briefs)

    def index_strict(self, req: _Asked) -> Page:
        """Until 2.82: a status that is none is refused."""
        return self._list(req, _STRICT, "index", self._briefs)

    def index(self, req: _Asked) -> Page:
        """From 2.83: most filters are everybody's."""
        return self._list(req, _OPEN, "index", self._briefs)

    def detail_early(self, req: _Asked) -> Page:
        """As `index_early`, in detail."""
        return self._list(req, _EARLY, "detail", self._details)

    def detail_with_ip6(self, req: _Asked) -> Page:
        """As `index_with_ip6`, in detail."""
        return self._list(req, _WITH_IP6, "detail", self._details)

    def detail_strict(self, req: _Asked) -> Page:
        """As `index_strict`, in detail."""
        return self._list(req, _STRICT, "detail", self._details)

    def detail(self, req: _Asked) -> Page:
        """As `index`, in detail."""
        return self._list(req, _OPEN, "detail", self._details)

    def _list(self, req: _Asked, rules: Rules, verb: str, render: Callable[..., _Rendered]) -> Page:
        ctx = filters.scope_of(req, f"{_RULE}:{verb}")
        page = read_paging(req.query, sortable=filters.SORT_NAMES)
        if not ctx.is_admin and any(name in filters.ADMIN_SORT_NAMES for name, _ in page.sort):
            raise Denied("Only administrators can sort servers by host or node.")
        asked = filters.Asked(req, rules.open_to_all)
        wanted = filters.filter_of(asked, ctx, refuse_unknown_status=rules.refuse_unknown_status)
        if wanted is None:
            return Page([])
        sort = tuple((filters.SORT_NAMES.get(name, name), way) for name, way in page.sort)
        shown, marker = render(req, ctx, wanted, one_more(page, sort))
        return Page(shown, links=next_links(req, marker))

    def _briefs(self, req: _Asked, ctx: RequestContext, wanted: ServerFilter, keyset: Keyset) -> _Rendered:
        with self._database.read() as tx:
            rows, more = cut(servers.briefs(tx, ctx, wanted, keyset), (keyset.limit or 0) - 1)
        shown = [views.BriefView(id=row.id, name=row.name, links=links(req, "servers", row.id)) for row in rows]
        return shown, rows[-1].id if more else None

    def _details(self, req: _Asked, ctx: RequestContext, wanted: ServerFilter, keyset: Keyset) -> _Rendered:
        with self._database.read() as tx:
            rows, more = cut(servers.page_of(tx, ctx, wanted, keyset), (keyset.limit or 0) - 1)
            rendering = Rendering(req, tx, rows, self._clock.now())
        return [rendering.detail(row) for row in rows], rows[-1].id if more else None


def _brief(handler: Callable[..., Page], within: VersionRange) -> Route:
    return Route(
        "GET", "/servers", handler, versions=within, policy=f"{_RULE}:index", query=ListServers, view=views.BriefView,
        view_key="servers", summary="List servers",
    )  # fmt: skip


def _detailed(handler: Callable[..., Page], within: VersionRange) -> Route:
    return Route(
        "GET", "/servers/detail", handler, versions=within, policy=f"{_RULE}:detail", query=ListServers, view=views.ServerView,
        view_key="servers", summary="List servers in detail",
    )  # fmt: skip


ROUTES = (
    _brief(ServerLists.index_early, until("2.4")),
    _brief(ServerLists.index_with_ip6, between("2.5", "2.37")),
    _brief(ServerLists.index_strict, between("2.38", "2.82")),
    _brief(ServerLists.index, since("2.83")),
    _detailed(ServerLists.detail_early, until("2.4")),
    _detailed(ServerLists.detail_with_ip6, between("2.5", "2.37")),
    _detailed(ServerLists.detail_strict, between("2.38", "2.82")),
    _detailed(ServerLists.detail, since("2.83")),
)
