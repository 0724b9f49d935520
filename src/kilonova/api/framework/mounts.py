"""
What stands on the API's port: the table of mounts, and one visit to one of them.

A mount is data: (prefix, kind, app). `service` speaks HTTP in its own way (XML, say), `pages` are for browsers, `websocket` takes
websockets alone, and `events` streams that stay open. An app is ASGI; it finds its caller in `request.state.context` (None where
the mount is open to everybody), and the request's id in `request.state.request_id`.
"""

from __future__ import annotations

import time
from typing import Any, Literal, NamedTuple

import msgspec

from kilonova.api.framework.bodies import Receive, Scope, Send, content_length, send_response, too_large
from kilonova.api.framework.errors import COMPUTE, fail, failure_headers
from kilonova.api.framework.serve import Response
from kilonova.api.framework.service import MIB
from kilonova.domain.context import RequestContext, new_request_id

Kind = Literal["service", "pages", "websocket", "events"]
_GOING_AWAY, _BROKEN = 1001, 1011
_FOR_BROWSERS = (
    (b"content-security-policy", b"default-src 'self'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


class Mount(NamedTuple):
    """
    One row. With `auth` a caller needs a token (X-Auth-Token), and the rule `policy`, if there is one; without, the app looks for
    itself.
    """

    prefix: str
    kind: Kind
    app: Any
    auth: bool = True
    policy: str | None = None


class Visit:
    """One request to a mount, or to none; `status` is what was answered so far, 0 while nothing was."""

    def __init__(self, scope: Scope, send: Send, mount: Mount | None, auth_url: str) -> None:
        self.scope, self.mount, self._send, self._auth_url = scope, mount, send, auth_url
        self.headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        self.client: str = (scope.get("client") or ("",))[0]
        self.request_id, self.status, self._began = new_request_id(), 0, time.perf_counter()
        self.is_websocket, self.is_closed = scope["type"] == "websocket", False
        self.context: RequestContext | None = None

    def inner_scope(self, mount: Mount) -> Scope:
        """The scope as the app sees it."""
        state = {**self.scope.get("state", {}), "context": self.context, "request_id": self.request_id}
        return {**self.scope, "root_path": self.scope.get("root_path", "") + mount.prefix, "state": state}

    def bounded(self, receive: Receive) -> Receive:
        """A body of no more than 1 MiB. Raises TooLarge, Rejected."""
        if self.is_websocket:
            return receive
        if (content_length(self.headers) or 0) > MIB:
            raise too_large(MIB)
        have = 0

        async def take() -> Any:
            nonlocal have
            message = await receive()
            have += len(message.get("body", b""))
            if have > MIB:
                raise too_large(MIB)
            return message

        return take

    async def send(self, message: Any) -> None:
        """What the app says, signed."""
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            self.status = message.get("status", 101)
            signed = [*message.get("headers", ()), (b"x-openstack-request-id", self.request_id.encode())]
            if self.mount is not None and self.mount.kind == "pages":
                said = {name.lower() for name, _ in signed}
                signed += [pair for pair in _FOR_BROWSERS if pair[0] not in said]
            message = {**message, "headers": signed}
        self.is_closed = self.is_closed or kind == "websocket.close"
        await self._send(message)

    async def refuse(self, error: Exception) -> None:
        """Say what is wrong, in HTTP; where a websocket is open already, close it."""
        if self.status:
            await self.close(_BROKEN, "This is a bug of the cloud.")
            return
        failure = fail(error, COMPUTE, self.request_id)
        body = msgspec.json.encode(COMPUTE.document(failure))
        head = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        response = Response(failure.status, head | dict(failure_headers(failure, self._auth_url)), body)
        if not self.is_websocket:
            await send_response(self.send, response, self.scope["method"])
        elif "websocket.http.response" in (self.scope.get("extensions") or ()):
            await send_response(self._send_denial, response, "GET")
        else:
            self.status = response.status
            await self.send({"type": "websocket.close", "code": 1008})

    async def close(self, code: int = _GOING_AWAY, reason: str = "") -> None:
        """End a websocket, if it is one and open."""
        if self.is_websocket and self.status == 101 and not self.is_closed:
            await self.send({"type": "websocket.close", "code": code, "reason": reason})

    def seconds(self) -> float:
        """How long it is under way."""
        return time.perf_counter() - self._began

    async def _send_denial(self, message: Any) -> None:
        await self.send({**message, "type": f"websocket.{message['type']}"})
