"""
The asynchronous half: ASGI in, ASGI out. Everything slow happens in one hop to a bounded pool of threads.

Request id → service by mount → size limit → (thread: `serve.answer`) → reply, counters, one line in the access log. Uploads
and downloads flow through threads of their own, chunk by chunk, so that slow transfers starve nobody. When more requests
wait than `Limits.waiting`, new ones get 503 at once: a queue that long would only answer clients that left.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import structlog

from kilonova.api.framework.bodies import (
    ClientGone,
    Receive,
    Scope,
    Send,
    incoming,
    read_body,
    send_response,
    send_stream,
)
from kilonova.api.framework.errors import COMPUTE, NoRoute, fail, failure_headers
from kilonova.api.framework.exchange import Authoriser, Stream
from kilonova.api.framework.metrics import RimMetrics
from kilonova.api.framework.serve import Authenticator, Call, Response, answer, find, quoted
from kilonova.api.framework.service import Service
from kilonova.domain.context import new_request_id
from kilonova.domain.errors import Unavailable

_BROKEN_OFF = "This API is being stopped, and could not wait any longer for what was asked."
_LOOK_FIRST = "It may have been carried out all the same: look, before you ask again."
_HOST = re.compile(r"\A(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")
_GLOBAL_ID = re.compile(r"\Areq-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class Limits(msgspec.Struct, frozen=True):
    """Threads for requests, threads for streams, and how many requests may wait for the former."""

    threads: int = 32
    streams: int = 16
    waiting: int = 1024


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
        self._authenticator, self._policy, self._metrics = authenticator, policy, metrics or RimMetrics()
        self._public_url, self._auth_url = public_url, auth_url
        self._limits = limits or Limits()
        self._pool = anyio.CapacityLimiter(self._limits.threads)
        self._stream_pool = anyio.CapacityLimiter(self._limits.streams)
        self._log = log or structlog.get_logger("kilonova.api")
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        started = time.perf_counter()
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        path = (scope.get("raw_path") or quoted(scope["path"]).encode()).decode("latin-1")
        service = next((s for s in self.services if path == s.mount or path.startswith(f"{s.mount}/")), None)
        request_id = new_request_id()
        if service is None:
            failure = fail(NoRoute(), COMPUTE, request_id)
            nowhere = _json(404, COMPUTE.document(failure))
            nowhere.headers["X-Openstack-Request-Id"] = request_id
            await send_response(send, nowhere, scope["method"])
            return
        call = Call(
            service=service,
            method=scope["method"],
            path=path,
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            origin=self._public_url or f"{scope['scheme']}://{_host(headers)}",
            request_id=request_id,
            client=(scope.get("client") or ("",))[0],
        )
        with structlog.contextvars.bound_contextvars(request_id=request_id, **_global_id(headers)):
            try:
                response = await self._respond(call, receive)
                self._sign(call, response)
                await self._send(call, response, receive, send)
            except ClientGone:
                response = Response(499, {})
            self._record(call, response.status, time.perf_counter() - started)

    async def _respond(self, call: Call, receive: Receive) -> Response:
        try:
            find(call)
            streams = call.route is not None and call.route.stream
            if streams:
                call.stream = incoming(call, receive)
            else:
                call.body = await read_body(call, receive)
            return await self._in_thread(call, self._stream_pool if streams else self._pool)
        except ClientGone:
            raise
        except anyio.get_cancelled_exc_class():
            # Nobody cancels a request but a listener whose time to drain is over; its thread is left to the process' end.
            return self._refuse(call, Unavailable(_BROKEN_OFF, next_step=_LOOK_FIRST))
        except Exception as error:  # noqa: BLE001 -- the edge: whatever happened, the client gets an envelope
            return self._refuse(call, error)

    async def _send(self, call: Call, response: Response, receive: Receive, send: Send) -> None:
        await send_response(send, response, call.method)
        if isinstance(response.body, Stream):
            try:
                await send_stream(response.body, receive, send, self._stream_pool, wanted=call.method != "HEAD")
            except ClientGone:
                raise
            except Exception as error:  # noqa: BLE001 -- the status is out: all that is left is to break off, and to log why
                self._log_bug(call, error)

    async def _in_thread(self, call: Call, pool: anyio.CapacityLimiter) -> Response:
        if self._inside >= self._limits.threads + self._limits.waiting:
            raise Unavailable("The API is overloaded.", next_step="Try again in a few seconds.")
        self._inside += 1
        try:
            return await anyio.to_thread.run_sync(answer, call, self._authenticator, self._policy, limiter=pool)
        finally:
            self._inside -= 1

    def _refuse(self, call: Call, error: Exception) -> Response:
        failure = fail(error, call.service.style, call.request_id)
        if failure.status == 500:
            self._log_bug(call, error)
        auth_url = self._auth_url if "://" in self._auth_url else call.origin + self._auth_url
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
        self._metrics.observe(call.service.name, label, status, seconds)
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


def _label(call: Call) -> str:
    return call.route.label if call.route else "unmatched"


def _global_id(headers: Mapping[str, str]) -> dict[str, str]:
    given = headers.get("x-openstack-request-id", "")
    return {"global_request_id": given} if _GLOBAL_ID.match(given) else {}


def _json(status: int, document: Any) -> Response:
    body = msgspec.json.encode(document)
    return Response(status, {"Content-Type": "application/json", "Content-Length": str(len(body))}, body)
