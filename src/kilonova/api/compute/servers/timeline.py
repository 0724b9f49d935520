"""
Instance actions: what was done to a server, by whom, and step by step what came of it.

They are views of the sagas' journals. Steps were an administrator's to see until 2.50 and are everybody's since; where they
happened, and why one failed, is told by policy.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET

from kilonova.api.compute.common import one_more, scope
from kilonova.api.compute.servers.render import host_id
from kilonova.api.framework import (
    Maybe,
    Meta,
    Page,
    PageQuery,
    Query,
    Request,
    Route,
    View,
    between,
    cut,
    next_links,
    read_paging,
    since,
    until,
    wire,
)  # fmt: skip
from kilonova.api.framework.types import Timestamp, iso_us
from kilonova.domain.errors import Rejected
from kilonova.domain.server import Server
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import actions, servers
from kilonova.store.queries.actions import Action, StepEvent

_RULE = "os_compute_api:os-instance-actions"


class ListActions(Query, strict=since("2.58")):
    """Pages and times, from 2.58 on."""

    limit: Annotated[Maybe[Annotated[int, Meta(ge=0)]], since("2.58")] = UNSET
    marker: Annotated[Maybe[Annotated[str, Meta(max_length=255)]], since("2.58")] = UNSET
    changes_since: Annotated[Maybe[Timestamp], wire("changes-since"), since("2.58")] = UNSET
    changes_before: Annotated[Maybe[Timestamp], wire("changes-before"), since("2.66")] = UNSET


class EventView(View):
    """A step of an action."""

    event: str
    start_time: str | None
    finish_time: str | None
    result: str | None
    traceback: Maybe[str | None] = UNSET
    hostId: Annotated[str, since("2.62")]  # noqa: N815 - its name on the wire
    host: Annotated[Maybe[str | None], since("2.62")] = UNSET
    details: Annotated[Maybe[str | None], since("2.84")] = UNSET


class ActionView(View):
    """An action."""

    action: str
    instance_uuid: str
    request_id: str
    user_id: str | None
    project_id: str | None
    start_time: str | None
    message: str | None
    updated_at: Annotated[str | None, since("2.58")]
    events: Maybe[list[EventView]] = UNSET


class Timeline:
    """The resource. `_early` methods are of the time when deleted servers had none (until 2.20)."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.db

    def index_early(self, req: Request[None, ListActions]) -> Page:
        """The actions on a living server."""
        return self._list(req, deleted=False)

    def index(self, req: Request[None, ListActions]) -> Page:
        """The actions on a server, gone or not."""
        return self._list(req, deleted=True)

    def show_early(self, req: Request[None, Query]) -> ActionView:
        """One action on a living server."""
        return self._show(req, deleted=False, open_to_all=False)

    def show_closed(self, req: Request[None, Query]) -> ActionView:
        """One action; its steps are an administrator's (until 2.50)."""
        return self._show(req, deleted=True, open_to_all=False)

    def show(self, req: Request[None, Query]) -> ActionView:
        """One action with its steps."""
        return self._show(req, deleted=True, open_to_all=True)

    def _list(self, req: Request[None, ListActions], *, deleted: bool) -> Page:
        query = req.query
        since_when = None if query.changes_since is UNSET else query.changes_since
        before = None if query.changes_before is UNSET else query.changes_before
        if since_when and before and before < since_when:
            raise Rejected("The value of changes-since must be less than or equal to changes-before.")
        page = read_paging(PageQuery(limit=query.limit, marker=query.marker), default_sort=())
        with self._database.read() as tx:
            server = self._server(tx, req, "list", deleted=deleted)
            found = actions.page_of(tx, server.id, one_more(page), since=since_when, before=before)
        rows, more = cut(found, page.limit)
        links = next_links(req, rows[-1].request_id if more else None)
        return Page([_view(row) for row in rows], extra={"links": links} if links else {})

    def _show(self, req: Request[None, Query], *, deleted: bool, open_to_all: bool) -> ActionView:
        with self._database.read() as tx:
            server = self._server(tx, req, "show", deleted=deleted)
            action = actions.get(tx, server.id, req.path["request_id"])
            sees_all = req.can(f"{_RULE}:events", {"project_id": server.project_id, "user_id": server.user_id})
            view = _view(action)
            if sees_all or open_to_all:
                view.events = [_event(req, server, step, full=sees_all) for step in actions.steps(tx, action)]
        return view

    def _server(self, tx: Tx, req: Request[Any, Any], verb: str, *, deleted: bool) -> Server:
        return servers.get(tx, scope(req, f"{_RULE}:{verb}"), req.path["server_id"], deleted=deleted)


def _view(action: Action) -> ActionView:
    return ActionView(
        action=action.action, instance_uuid=action.server_id, request_id=action.request_id, user_id=action.user_id,
        project_id=action.project_id, start_time=iso_us(action.at), message=action.message,
        updated_at=iso_us(action.updated_at),
    )  # fmt: skip


def _event(req: Request[Any, Any], server: Server, step: StepEvent, *, full: bool) -> EventView:
    result = None if step.finished_at is None else "Error" if step.error else "Success"
    return EventView(
        event=step.name, start_time=iso_us(step.started_at), finish_time=iso_us(step.finished_at), result=result,
        hostId=host_id(server.project_id, step.host), traceback=None if full else UNSET, host=step.host if full else UNSET,
        details=step.error if req.can(f"{_RULE}:events:details") else UNSET,
    )  # fmt: skip


_ALL, _ONE = "/servers/{server_id}/os-instance-actions", "/servers/{server_id}/os-instance-actions/{request_id}"
_LIST: dict[str, Any] = {
    "policy": f"{_RULE}:list", "query": ListActions, "view": ActionView, "view_key": "instanceActions", "summary": "List actions",
}  # fmt: skip
_SHOW: dict[str, Any] = {
    "policy": f"{_RULE}:show", "view": ActionView, "view_key": "instanceAction", "summary": "Show an action",
}  # fmt: skip

ROUTES = (
    Route("GET", _ALL, Timeline.index_early, versions=until("2.20"), **_LIST),
    Route("GET", _ALL, Timeline.index, versions=since("2.21"), **_LIST),
    Route("GET", _ONE, Timeline.show_early, versions=until("2.20"), **_SHOW),
    Route("GET", _ONE, Timeline.show_closed, versions=between("2.21", "2.50"), **_SHOW),
    Route("GET", _ONE, Timeline.show, versions=since("2.51"), **_SHOW),
)
