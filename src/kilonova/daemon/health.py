"""
Says over HTTP how a process fares.

    /healthz/live     200 as long as the process runs: what supervises it restarts it otherwise
    /healthz/ready    200 when it can do its work, 503 with what is wrong: what balances over it leaves it out
    /metrics          Prometheus' page

On loopback everybody may ask. Beyond it, `/metrics` and the words of what is wrong are for who sends the token of the settings as
`Authorization: Bearer TOKEN`, as Prometheus does; whether the process lives and is ready is told to all, as a balancer asks.
What a proxy on this machine hands on comes from beyond it too.

A check is a function that gives what is wrong, or nothing. They are asked at each request, one request at a time.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from kilonova.domain.addresses import is_loopback
from kilonova.domain.errors import Conflict

FORWARDED = ("forwarded", "x-forwarded-for")
"""Headers by which a proxy says that it hands a request on."""
_NOT_HERE = "Send the token of [metrics] as `Authorization: Bearer TOKEN`, or ask on loopback."
Check = Callable[[], str]
"""What is wrong, in words; "" when nothing is."""


class Health:
    """
    What is asked. `hold` names a reason not to be ready besides the checks': starting, stopping.

    `token` opens all of it to who is not on this machine; empty: nothing does.
    """

    def __init__(self, checks: Mapping[str, Check], registry: CollectorRegistry, *, token: str = "") -> None:
        self.registry = registry
        self.token = token
        self.hold = "starting"
        self._checks = checks
        self._lock = threading.Lock()

    def problems(self) -> dict[str, str]:
        """What is wrong, by check; empty when the process is ready."""
        with self._lock:
            found = {"process": self.hold} | {name: check() for name, check in self._checks.items()}
        return {name: problem for name, problem in found.items() if problem}


class HealthServer:
    """Serves a process' health. Raises Conflict when the port cannot be had."""

    def __init__(self, health: Health, host: str, port: int) -> None:
        try:
            self._server = _Server((host, port), _Handler)
        except OSError as why:
            raise Conflict(
                f"Port {port} of {host}, for this process' health, cannot be had: {why.strerror}.",
                next_step="Set another health_port in the process' section.",
            ) from why
        self._server.health, self._server.is_local = health, is_loopback(host)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    health: Health
    is_local: bool


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0  # for a client that connects and says nothing

    def do_GET(self) -> None:
        match self.path.partition("?")[0].rstrip("/"):
            case "/healthz/live":
                self._say(HTTPStatus.OK, {"status": "ok"})
            case "/healthz/ready":
                problems = self.server.health.problems()
                status = HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK
                told = {"problems": problems} if self._is_trusted() else {}
                self._say(status, {"status": "not ready" if problems else "ok", **told})
            case "/metrics" if not self._is_trusted():
                self._say(HTTPStatus.UNAUTHORIZED, {"status": _NOT_HERE}, {"WWW-Authenticate": "Bearer"})
            case "/metrics":
                self._send(HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self.server.health.registry))
            case _:
                self._say(HTTPStatus.NOT_FOUND, {"status": "there is /healthz/live, /healthz/ready and /metrics"})

    def log_message(self, *_: object) -> None:
        """A probe a second is no news."""

    def _is_trusted(self) -> bool:
        if self.server.is_local and not any(name in self.headers for name in FORWARDED):
            return True
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").strip().encode()
        token = self.server.health.token.encode()
        return bool(token) and hmac.compare_digest(given, token)

    def _say(self, status: HTTPStatus, document: object, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self._send(status, "application/json", msgspec.json.encode(document) + b"\n", headers)

    def _send(
        self, status: HTTPStatus, content_type: str, body: bytes, headers: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
