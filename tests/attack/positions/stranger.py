"""Somebody without an account, who can reach the API's port."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from tests.attack.kit import attack, must
from tests.attack.target import ATTACKER, Target
from tests.fakes.identity import account, login
from tests.waiting import wait_until

_SILENT = b"POST /identity/v3/auth/tokens HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{"


@attack
def silent_bodies(target: Target) -> None:
    """A thousand requests whose bodies never come: everybody else is served while they are held open."""
    with ExitStack() as held:
        for _ in range(300 if target.is_short else 1010):
            try:
                one = held.enter_context(target.stranger())
                one.sendall(_SILENT)
            except OSError:
                continue  # sent away at the door, which is as good
        target.must_serve()


@attack
def silent_heads(target: Target) -> None:
    """As many connections that say nothing at all."""
    with ExitStack() as held:
        for _ in range(300 if target.is_short else 1010):
            try:
                held.enter_context(target.stranger())
            except OSError:
                continue
        target.must_serve()


@attack
def logins_at_once(target: Target) -> None:
    """Wrong passwords from many sides at once: a tenant and the health check are answered while they are looked at."""
    body = login(account("admin", "no such password"))
    with target.client(ATTACKER) as http, ThreadPoolExecutor(64) as pool:
        tries = [pool.submit(http.post, "/identity/v3/auth/tokens", json=body) for _ in range(64)]
        target.must_serve()
        answers = {one.result().status_code for one in tries}
    must(answers <= {401, 429, 503}, f"wrong passwords were answered with {answers}")


@attack
def lock_out_by_wrong_passwords(target: Target) -> None:
    """Wrong passwords for a person: the right one still opens, from another address and from the same."""
    secret, name = target.secret(), "locked-out"
    target.cloud.call("POST", "/identity/v3/users", {"user": {"name": name, "password": secret}})
    with target.client(ATTACKER) as http:
        for number in range(12):
            http.post("/identity/v3/auth/tokens", json=login(account(name, f"wrong {number}")))
        for who in (target.http, http):
            right = wait_until(
                lambda who=who: _logs_in(who, name, secret), "the right password opens after wrong ones", 30.0
            )
            must(right, "the right password does not open")


def _logs_in(http: object, name: str, secret: str) -> bool:
    return http.post("/identity/v3/auth/tokens", json=login(account(name, secret))).status_code == 201  # type: ignore[attr-defined]


@attack
def long_path(target: Target) -> None:
    """A path of 60 kB: refused, and not written into the log as it is."""
    before = target.cloud.log.stat().st_size
    with target.client(ATTACKER) as http:
        answer = http.get("/compute/v2.1/" + "a" * 60_000)
    must(answer.status_code in (401, 404, 414, 431), f"answered {answer.status_code}")
    grown = target.cloud.log.stat().st_size - before
    must(grown < 30_000, f"the log grew by {grown} bytes")


@attack
def junk(target: Target) -> None:
    """Requests that are none: each a client's mistake, never the cloud's."""
    heads: list[tuple[str, str, bytes]] = [
        ("POST", "/identity/v3/auth/tokens", body)
        for body in (
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"auth": 1}',
            b"\xff" * 64,
            b"[" * 100_000,
            b'{"auth": {"identity": {}}}',
        )
    ]
    heads += [("GET", path, b"") for path in ("/%00", "/compute/v2.1/%2e%2e/%2e%2e", "/image/v2/images/" + "%41" * 200)]
    with target.client(ATTACKER) as http:
        for method, path, body in heads:
            status = http.request(method, path, content=body, headers={"Content-Type": "application/json"}).status_code
            must(status < 500, f"{method} {path[:60]} {body[:40]!r}: {status}")
