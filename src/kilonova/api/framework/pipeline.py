"""
The asynchronous half: ASGI in, ASGI out. Everything slow happens in one hop to a bounded pool of threads.

Request id → service by mount → size limit → (a thread of the route's lane: `serve.answer`) → reply, counters, one line in the
access log. Uploads and downloads take a thread for each chunk and none between two, so that slow ones starve nobody.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import structlog

from kilonova.api.framework.bodies import (
    ClientGone,
    Incoming,
    Receive,
    Scope,
    Send,
    content_length,
    send_response,
    send_stream,
    take_upload,
    too_large,
)
from kilonova.api.framework.errors import COMPUTE, NoRoute, PathTooLong, fail, failure_headers
from kilonova.api.framework.exchange import Authoriser, Intake, Stream
from kilonova.api.framework.lanes import Limits, make_lanes
from kilonova.api.framework.metrics import RimMetrics
from kilonova.api.framework.router import Match
from kilonova.api.framework.serve import Authenticator, Call, Response, answer, authenticated, find, quoted
from kilonova.api.framework.service import Service
from kilonova.api.framework.transfers import Kind, Transfers
from kilonova.domain.context import RequestContext, new_request_id
from kilonova.domain.errors import DiskFull, Postponed, Unavailable
from kilonova.seldom import Seldom

_BROKEN_OFF = "This API is being stopped, and could not wait any longer for what was asked."
_LOOK_FIRST = "It may have been carried out all the same: look, before you ask again."
_HOST = re.compile(r"\A(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_GLOBAL_ID = re.compile(r"\Areq-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class Rim:
    """
    The ASGI application of all services on one port.

    `public_url` is the scheme and host clients use (`https://cloud.example.org`); None trusts the request's Host header.
    `auth_url` is where a 401 sends them, relative or absolute. Mounts are absolute: give it the root of the port.
    """

    def __init__(
        self,
        services: Sequence[Service],
        *,
        authenticator: Authenticator,
        policy: Authoriser,
        metrics: RimMetrics | None = None,
        public_url: str | None = None,
        auth_url: str = "/identity",
        limits: Limits | None = None,
        log: Any = None,
    ) -> None:
        self.services = sorted(services, key=lambda service: -len(service.mount))
        self._authenticator, self._policy, self.metrics = authenticator, policy, metrics or RimMetrics()
        self.public_url, self.auth_url = public_url, auth_url
        self.limits = limits or Limits()
        self.lanes, self.transfers = make_lanes(self.limits), Transfers(self.limits)
        self._movers = {name: anyio.CapacityLimiter(self.limits.streams) for name in self.lanes}
        self._log, self._seldom = log or structlog.get_logger("kilonova.api"), Seldom()

    async def admit(self, client: str, token: str, rule: str | None, request_id: str) -> RequestContext:
        """Who comes with a token to what is no route, if policy lets him. Raises Unauthenticated, Denied, Unavailable."""

        def check() -> RequestContext:
            context = authenticated(token, self._authenticator, request_id)
            if rule is not None:
                self._policy.authorize(context, rule)
            return context

        return await self.lanes["requests"].run(client, check)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        started = time.perf_counter()
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        path = (scope.get("raw_path") or quoted(scope["path"]).encode()).decode("latin-1")
        service = next((s for s in self.services if path == s.mount or path.startswith(f"{s.mount}/")), None)
        request_id = new_request_id()
        if service is None:
            too_long = len(path) > self.limits.path
            failure = fail(PathTooLong() if too_long else NoRoute(), COMPUTE, request_id)
            nowhere = _json(failure.status, COMPUTE.document(failure))
            nowhere.headers |= {"X-Openstack-Request-Id": request_id}
            await send_response(send, nowhere, scope["method"])
            return
        call = Call(
            service=service,
            method=scope["method"],
            path=path,
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            origin=self.public_url or f"{scope['scheme']}://{_host(headers)}",
            request_id=request_id,
            client=(scope.get("client") or ("",))[0],
        )
        with structlog.contextvars.bound_contextvars(request_id=request_id, **_global_id(headers)):
            try:
                response = await self._exchange(call, receive, send)
            except ClientGone:
                response = Response(499, {})
            self._record(call, response.status, time.perf_counter() - started)

    async def _exchange(self, call: Call, receive: Receive, send: Send) -> Response:
        incoming, slot = Incoming(call, receive), ExitStack()
        with slot:
            response = await self._respond(call, incoming, slot)
            self._sign(call, response)
            if not incoming.is_done:
                response.headers["Connection"] = "close"
            await self._send(call, response, receive, send)
        return response

    async def _respond(self, call: Call, incoming: Incoming, slot: ExitStack) -> Response:
        """The answer, once an upload is in. A download's place is put into `slot`, to be held until it is out."""
        try:
            self._check_path(call.path)
            find(call)
            if call.route is None or not call.route.stream:
                await self._read_body(call, incoming)
            response = await self._answer(call)
            if isinstance(response.body, Intake):
                with self.transfers.one("uploads", _holder(call)):
                    await take_upload(response.body, incoming, self._movers[_lane(call)])
                response.body = b""
            elif isinstance(response.body, Stream) and (kind := _kind(call)) is not None:
                slot.enter_context(self.transfers.one(kind, response.body.holder or _holder(call)))
        except ClientGone:
            raise
        except anyio.get_cancelled_exc_class():
            # Nobody cancels a request but a listener whose time to drain is over; its thread is left to the process' end.
            return self._refuse(call, Unavailable(_BROKEN_OFF, next_step=_LOOK_FIRST))
        except Exception as error:  # noqa: BLE001 -- the edge: whatever happened, the client gets an envelope
            return self._refuse(call, error)
        return response

    def _check_path(self, path: str) -> None:
        if len(path) > self.limits.path:
            raise PathTooLong

    async def _read_body(self, call: Call, incoming: Incoming) -> None:
        call.length, most = content_length(call.headers), call.service.max_body
        if call.length is not None and call.length > most:
            raise too_large(most)
        call.body = await incoming.whole(most, self.limits.body_s)

    async def _answer(self, call: Call) -> Response:
        """What a thread of the route's lane says; once more, in that of another, where it was postponed."""
        call.length, lane = content_length(call.headers), _lane(call)
        lane = (
            "logins" if lane == "hashing" else lane
        )  # who comes without a token is not to take the places of those with one
        while True:
            try:
                return await self.lanes[lane].run(call.client, answer, call, self._authenticator, self._policy)
            except Postponed as later:
                if later.ticket == call.ticket:
                    raise
                call.ticket, lane = later.ticket, later.lane
                await anyio.sleep(later.wait_s)

    async def _send(self, call: Call, response: Response, receive: Receive, send: Send) -> None:
        await send_response(send, response, call.method)
        if isinstance(response.body, Stream):
            pool, wanted = self._movers[_lane(call)], call.method != "HEAD"
            try:
                await send_stream(response.body, receive, send, pool, wanted=wanted)
            except ClientGone:
                raise
            except Exception as error:  # noqa: BLE001 -- the status is out: all that is left is to break off, and to log why
                self._log_bug(call, error)

    def _refuse(self, call: Call, error: Exception) -> Response:
        failure = fail(error, call.service.style, call.request_id)
        if failure.status == 500:
            self._log_bug(call, error)
        if failure.status == DiskFull.status and (times := self._seldom(failure.message)):
            self._log.error("a disk has no room left for what clients ask", what=failure.message, times=times)
        auth_url = self.auth_url if "://" in self.auth_url else call.origin + self.auth_url
        response = _json(failure.status, call.service.style.document(failure))
        response.headers |= failure_headers(failure, auth_url)
        return response

    def _log_bug(self, call: Call, error: Exception) -> None:
        """The traceback goes as text: a renderer that shows local variables would show the token."""
        self._log.error("bug", route=_label(call), traceback="".join(traceback.format_exception(error)))

    def _sign(self, call: Call, response: Response) -> None:
        response.headers |= {"X-Openstack-Request-Id": call.request_id, "X-Compute-Request-Id": call.request_id}
        if call.match is not None and call.path.startswith(call.service.mount + call.service.prefix):
            response.headers |= call.service.echo(call.version)

    def _record(self, call: Call, status: int, seconds: float) -> None:
        label = _label(call)
        self.metrics.observe(call.service.name, label, status, seconds)
        self._log.info(
            "request",
            service=call.service.name,
            route=label,
            method=call.method,
            path=call.path,
            status=status,
            ms=round(seconds * 1000, 2),
            version=str(call.version),
            user_id=call.ctx.user_id if call.ctx else None,
            project_id=call.ctx.project_id if call.ctx else None,
        )


def _host(headers: Mapping[str, str]) -> str:
    """What the client calls us, if that is a host and a port: it goes into links and into Location."""
    given = headers.get("host", "")
    return given if _HOST.match(given) else "localhost"


def _lane(call: Call) -> str:
    return call.match.routes[0].lane if isinstance(call.match, Match) else "requests"


def _kind(call: Call) -> Kind | None:
    """What a stream of this request counts as; what is watched with is never too much."""
    kinds: dict[str, Kind] = {"requests": "downloads", "hosts": "host downloads"}
    return kinds.get(_lane(call))


def _holder(call: Call) -> str:
    ctx = call.ctx
    return f"project {ctx.project_id}" if ctx and ctx.project_id else f"user {ctx.user_id}" if ctx else call.client


def _label(call: Call) -> str:
    return call.route.label if call.route else "unmatched"


def _global_id(headers: Mapping[str, str]) -> dict[str, str]:
    given = headers.get("x-openstack-request-id", "")
    return {"global_request_id": given} if _GLOBAL_ID.match(given) else {}


def _json(status: int, document: Any) -> Response:
    body = msgspec.json.encode(document)
    return Response(status, {"Content-Type": "application/json", "Content-Length": str(len(body))}, body)
