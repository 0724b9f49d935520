"""Somebody who says to be a host, or was one. What a real host's account can do on a bus: tests/component/rpc."""

from __future__ import annotations

from tests.attack.kit import attack, must
from tests.attack.target import Target


@attack
def joining_uninvited(target: Target) -> None:
    """Joining with a guessed token, with a member's token, with none."""
    for token in ("", "guess", target.mallory.token):
        for headers in ({}, {"X-Auth-Token": target.mallory.token}):
            answer = target.http.post(
                "/kilonova/v1/hosts/join", json={"token": token, "name": "rogue"}, headers=headers
            )
            must(400 <= answer.status_code < 500, f"joined with {token[:8]!r}: {answer.status_code}")


@attack
def hosts_doors(target: Target) -> None:
    """A member at the doors that are for operators and hosts."""
    for method, path in (
        ("GET", "/hosts"), ("POST", "/hosts/tokens"), ("GET", "/hosts/refusals"), ("GET", "/audit"), ("GET", "/status"),
    ):  # fmt: skip
        answer = target.mallory.send(method, f"kilonova {path}", {} if method == "POST" else None)
        must(answer.status_code in (401, 403, 404, 405), f"{method} {path}: {answer.status_code}")
