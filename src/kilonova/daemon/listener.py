"""An ASGI application on a port of this process. Stopping it lets requests under way finish, for a while."""

from __future__ import annotations

import threading
from typing import Any

import uvicorn

from kilonova.api.framework.heads import BoundedHeads
from kilonova.domain.errors import Conflict

_START_S = 30.0


class Listener:
    """Serves `app`. `drain_s`: how many seconds requests have to finish."""

    def __init__(self, app: Any, host: str, port: int, *, drain_s: int) -> None:
        self._where = f"{host}:{port}"
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=drain_s,
            lifespan="off",
            http=BoundedHeads,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
        self._settled = threading.Event()

    def start(self) -> None:
        """Listen. Raises Conflict when the port cannot be had."""
        self._thread.start()
        waited = 0.0
        while not self._server.started and not self._settled.wait(0.02) and waited < _START_S:
            waited += 0.02
        if not self._server.started:
            raise Conflict(
                f"The API cannot listen on {self._where}.", next_step="Free that port, or set [api] host and port."
            )

    def stop(self) -> None:
        """Take no more requests, and let those under way finish."""
        self._server.should_exit = True
        self._thread.join()

    def _run(self) -> None:
        try:
            self._server.run()
        except SystemExit:
            pass  # how uvicorn says that it could not begin; its log says why
        finally:
            self._settled.set()
