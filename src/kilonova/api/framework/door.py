"""
The front door: one ASGI application on the API's port, before the rim and beside it.

    http       ──► a mount's prefix? ──no──► the rim (the API's services; nothing is added to their way but this question)
                        └─ yes ─► path, kind, token, bounds ─► the mount's app
    websocket  ──► the same, and its Origin must be ours; where nothing is mounted that takes it: 404

What stays open costs no thread: websockets and event streams are coroutines, each project has so many and the process so many
(`Transfers`), a websocket that says nothing ends after a while, and the server below pings it. Whatever an app raises becomes the
envelope of the errors, as long as nothing was answered.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import anyio
import structlog
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from kilonova.api.framework.bodies import Receive, Scope, Send
from kilonova.api.framework.errors import NoRoute, PathTooLong, UpgradeRequired
from kilonova.api.framework.events import EventStream
from kilonova.api.framework.mounts import Mount, Visit
from kilonova.api.framework.pipeline import Rim
from kilonova.api.framework.transfers import Kind as Bound
from kilonova.domain.errors import Denied, KilonovaError, Unavailable

_GONE = (OSError, ClientDisconnect, WebSocketDisconnect)
_BOUNDS: Mapping[str, Bound] = {"websocket": "websockets", "events": "event streams"}


class FrontDoor:
    """
    `rim` serves what no mount has. `origins` are those (`https://console.example.org`) whose pages may open websockets, besides
    our own. Of the listener's loop, but `leave`.
    """

    def __init__(self, rim: Rim, mounts: Sequence[Mount] = (), *, origins: Sequence[str] = ()) -> None:
        self._rim, self._origins = rim, frozenset(origins)
        self._streams = [mount.app for mount in mounts if isinstance(mount.app, EventStream)]
        wrapped = [mount._replace(app=ExceptionMiddleware(mount.app)) for mount in mounts]
        self._mounts = sorted(wrapped, key=lambda mount: -len(mount.prefix))
        self._prefixes = tuple(mount.prefix for mount in mounts)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._log = structlog.get_logger("kilonova.api")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or one websocket."""
        is_http, path = scope["type"] == "http", scope["path"]
        mount = self._find(path) if path.startswith(self._prefixes) else None
        if is_http and mount is None:
            await self._rim(scope, receive, send)
            return
        self._loop = asyncio.get_running_loop()
        visit = Visit(scope, send, mount, self._rim.auth_url)
        with structlog.contextvars.bound_contextvars(request_id=visit.request_id):
            try:
                await self._serve(visit, receive)
            except _GONE:
                visit.status = visit.status or 499
            except Exception as error:  # noqa: BLE001 -- the edge: whatever happened, the client is told
                if not isinstance(error, KilonovaError) or visit.status:
                    self._log.error("bug", route=_label(visit), traceback="".join(traceback.format_exception(error)))
                await visit.refuse(error)
            self._record(visit)

    def leave(self) -> None:
        """The listener leaves its port: streams end, so that nobody waits for them. From any thread."""
        for stream in self._streams:
            if self._loop is None:  # nobody came yet
                stream.leave()
            elif not self._loop.is_closed():
                self._loop.call_soon_threadsafe(stream.leave)

    def _find(self, path: str) -> Mount | None:
        return next((m for m in self._mounts if path == m.prefix or path.startswith(f"{m.prefix}/")), None)

    async def _serve(self, visit: Visit, receive: Receive) -> None:
        mount = self._check(visit)
        if mount.auth:
            token = visit.headers.get("x-auth-token", "")
            visit.context = await self._rim.admit(visit.client, token, mount.policy, visit.request_id)
        with ExitStack() as held:
            if (bound := _BOUNDS.get(mount.kind)) is not None:
                held.enter_context(self._rim.transfers.one(bound, _holder(visit)))
            if visit.is_websocket:
                await self._converse(visit, mount, receive)
            else:
                await mount.app(visit.inner_scope(mount), visit.bounded(receive), visit.send)

    def _check(self, visit: Visit) -> Mount:
        """The mount, if it takes what is asked. Raises NoRoute, UpgradeRequired, Denied, PathTooLong."""
        mount = visit.mount
        if len(visit.scope.get("raw_path") or visit.scope["path"]) > self._rim.limits.path:
            raise PathTooLong
        if not visit.is_websocket and mount is not None:
            if mount.kind == "websocket":
                raise UpgradeRequired
            return mount
        if mount is None or mount.kind != "websocket":
            raise NoRoute("There is no websocket at this path.")
        self._check_origin(visit)
        return mount

    def _check_origin(self, visit: Visit) -> None:
        """A browser says whose page opens the websocket; programs say nothing."""
        origin = visit.headers.get("origin")
        scheme = "https" if visit.scope.get("scheme") == "wss" else "http"
        ours = self._rim.public_url or f"{scheme}://{visit.headers.get('host', '')}"
        if origin is not None and origin != ours and origin not in self._origins:
            raise Denied(
                "Pages of another origin may not open websockets here.",
                next_step="An operator can name that origin under allowed_origins of the API.",
            )

    async def _converse(self, visit: Visit, mount: Mount, receive: Receive) -> None:
        """Have the app talk, until it ends or nobody has said anything for too long."""
        idle_s = self._rim.limits.websocket_idle_s
        with anyio.CancelScope(deadline=anyio.current_time() + idle_s) as talk:

            async def hear() -> Any:
                message = await receive()
                talk.deadline = anyio.current_time() + idle_s
                return message

            async def say(message: Any) -> None:
                talk.deadline = anyio.current_time() + idle_s
                await visit.send(message)

            await mount.app(visit.inner_scope(mount), hear, say)
        if not talk.cancelled_caught:
            return
        if not visit.status:
            raise Unavailable("What this websocket leads to does not answer.", next_step="Try again later.")
        await visit.close(reason=f"Nothing was said for {idle_s:g} s.")

    def _record(self, visit: Visit) -> None:
        mount, context = visit.mount, visit.context
        if mount is not None and mount.kind not in _BOUNDS:
            self._rim.metrics.observe(mount.prefix, _label(visit), visit.status, visit.seconds())
        self._log.info(
            "request",
            service=mount.prefix if mount else None,
            route=_label(visit),
            method=visit.scope.get("method", "WEBSOCKET"),
            path=visit.scope["path"],
            status=visit.status,
            ms=round(visit.seconds() * 1000, 2),
            user_id=context.user_id if context else None,
            project_id=context.project_id if context else None,
        )


def _label(visit: Visit) -> str:
    return f"{visit.mount.kind} {visit.mount.prefix}" if visit.mount else "unmatched"


def _holder(visit: Visit) -> str:
    context = visit.context
    if context is None:
        return f"address {visit.client}"
    return f"project {context.project_id}" if context.project_id else f"user {context.user_id}"
