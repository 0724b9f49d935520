"""
An ASGI application on a port of this process, and how it leaves that port.

    serving ──stop──► leaving ──no connection is left, or LEAVE_S──► draining ──all answered, or drain_s──► gone

Clients keep connections and send the next request on them at any moment; one that is sent as the connection is closed is lost
to them, and they cannot know whether it was carried out. So, leaving, every request is still taken and answered, and each answer
says that it is its connection's last. Whoever asks again asks on a new connection, which a balancer that has heard by then opens
elsewhere. What is left after that is quiet, or under way: the port is closed, quiet connections with it, and what is under way
has `drain_s` seconds. Then it is cancelled, which the rim says to its client, and its thread left to the process' end.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import uvicorn

from kilonova.api.framework.connection import Connection
from kilonova.api.framework.connections import Connections
from kilonova.domain.errors import Conflict

LEAVE_S = 1.0
_START_S = 30.0
_LOOK_S = 0.02
_MESSAGE = 1 << 20  # bytes of a websocket's message
_LAST = (b"connection", b"close")


def _nothing() -> None:
    """Nothing stays open for ever."""


class Listener:
    """
    Serves `app`. `drain_s`: how many seconds requests under way have to finish once the port is closed. `connections` knows how
    many clients may connect, and which of them are proxies whose word is taken for who the client is.
    `on_leave` ends what would stay open for ever.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        *,
        drain_s: int,
        connections: Connections | None = None,
        on_leave: Callable[[], None] = _nothing,
    ) -> None:
        self._on_leave = on_leave
        self._where = f"{host}:{port}"
        self._door = _Door(app)
        table = connections or Connections()
        proxies = list(table.limits.trusted_proxies)
        config = uvicorn.Config(
            self._door,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=drain_s,
            lifespan="off",
            http=cast("type[asyncio.Protocol]", partial(Connection, table)),
            ws="none",  # `Connection` opens them itself, under the same bounds
            ws_max_size=_MESSAGE,
            ws_per_message_deflate=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=proxies,
            timeout_keep_alive=table.limits.keep_alive_s,
        )
        self._server = _Server(config, table)
        # A daemon, and so are the threads that it starts: one that hangs in a request does not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self._settled = threading.Event()

    def start(self) -> None:
        """Listen. Raises Conflict when the port cannot be had."""
        self._thread.start()
        waited = 0.0
        while not self._server.started and not self._settled.wait(_LOOK_S) and waited < _START_S:
            waited += _LOOK_S
        if not self._server.started:
            raise Conflict(
                f"The API cannot listen on {self._where}.", next_step="Free that port, or have it listen on another."
            )

    def stop(self) -> None:
        """Let connections go, take no more requests, and let those under way finish. Takes LEAVE_S + `drain_s` at most."""
        self._door.is_leaving = True
        self._on_leave()
        end = time.monotonic() + LEAVE_S
        while self._server.server_state.connections and time.monotonic() < end and not self._settled.wait(_LOOK_S):
            pass
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        try:
            self._server.run()
        except SystemExit:
            pass  # how uvicorn says that it could not begin; its log says why
        finally:
            self._settled.set()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, table: Connections) -> None:
        super().__init__(config)
        self._table = table

    async def shutdown(self, sockets: Any = None) -> None:
        await super().shutdown(sockets)
        self._table.part()


class _Door:
    """Answers as the application does; when leaving, each answer is its connection's last."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.is_leaving = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def say(message: Any) -> None:
            if self.is_leaving and message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), _LAST]}
            await send(message)

        await self._app(scope, receive, say)
