"""
What became of servers: `GET /kilonova/v1/events`, page by page, and `/kilonova/v1/events/stream`, as it happens (server-sent
events).

A project sees its own servers' events, an administrator all. Both go by the same numbers: a stream's Last-Event-ID is a page's
`after`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import anyio
import msgspec
from msgspec import UNSET, Meta

from kilonova.api.framework import Maybe, PolicyRule, Query, Request, Route, View
from kilonova.api.framework.events import Event
from kilonova.domain.event import ServerEvent
from kilonova.store.database import Database
from kilonova.store.queries import events

_RULE = "kilonova:events"
_LOOK_EVERY_S = 0.5
_MOST = 1000


class EventsQuery(Query):
    """`after`: the number of the last event that is known."""

    after: Maybe[Annotated[int, Meta(ge=0, le=2**53)]] = UNSET
    limit: Maybe[Annotated[int, Meta(ge=1, le=_MOST)]] = UNSET


class EventView(View):
    """An event. `old_` is how it was before; absent from `instance.create.start`, which is about a new server."""

    number: int
    event_type: str
    at: datetime
    server_id: str
    project_id: str
    name: str
    vm_state: str
    task_state: str | None
    power_state: int
    old_vm_state: str | None
    old_task_state: str | None


class Events:
    """The resource, and the source of the stream."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def index(self, req: Request[None, EventsQuery]) -> list[EventView]:
        """Those after a number, oldest first."""
        after = 0 if req.query.after is UNSET else req.query.after
        limit = _MOST if req.query.limit is UNSET else req.query.limit
        project_id = None if req.can(f"{_RULE}:all") else req.ctx.project_id or ""
        self._number_new()
        with self._database.read() as tx:
            return [_view(one) for one in events.after(tx, after, limit, project_id)]

    def span(self) -> tuple[int, int]:
        """See `EventSource`."""
        self._number_new()
        with self._database.read() as tx:
            return events.span(tx)

    def after(self, cursor: int, limit: int) -> Sequence[Event]:
        """See `EventSource`."""
        self._number_new()
        with self._database.read() as tx:
            found = events.after(tx, cursor, limit)
        return [Event(one.number, one.event_type, one.project_id, msgspec.json.encode(_document(one))) for one in found]

    async def wait(self, _cursor: int) -> None:
        """Look again in a while: one look for all streams of the process, and none while there is no stream."""
        await anyio.sleep(_LOOK_EVERY_S)

    def _number_new(self) -> None:
        if not self._database.is_sqlite:
            with self._database.write() as tx:
                events.number_new(tx)


def _document(one: ServerEvent) -> dict[str, object]:
    view = _view(one)
    return {name: getattr(view, name) for name in view.__annotations__}


def _view(one: ServerEvent) -> EventView:
    was, now = one.was, one.now
    return EventView(
        number=one.number, event_type=one.event_type, at=one.at, server_id=one.server_id, project_id=one.project_id,
        name=now.name, vm_state=now.vm_state, task_state=now.task_state, power_state=int(now.power_state),
        old_vm_state=None if was is None else was.vm_state, old_task_state=None if was is None else was.task_state,
    )  # fmt: skip


ROUTES = (
    Route("GET", "/events", Events.index, policy=f"{_RULE}:index", query=EventsQuery, view=EventView, view_key="events",
          summary="List what became of servers"),
)  # fmt: skip
STREAM = "/kilonova/v1/events/stream"
STREAM_POLICY = f"{_RULE}:index"
POLICIES = (
    PolicyRule(f"{_RULE}:index", "reader", description="See what became of the project's servers"),
    PolicyRule(f"{_RULE}:all", "admin", description="See what became of every project's servers"),
)
