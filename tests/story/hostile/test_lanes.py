"""Threads that strangers can fill, and those that they cannot, over real sockets."""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kilonova.identity.passwords import Passwords
from tests.story.hostile.attackers import Attacked, attacked, get, head, one, rest, rim_of, status
from tests.story.hostile.world import PASSWORD, World
from tests.waiting import wait_until

LOGINS, WRONG = 64, "wrong"
HASHERS = max(1, (os.cpu_count() or 1) - 1)


class Gate:
    """Who sits down to hash waits until it is opened."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.waiting, self.opened = 0, threading.Event()

    def __enter__(self) -> None:
        with self._lock:
            self.waiting += 1
        assert self.opened.wait(60)

    def __exit__(self, *_problem: object) -> None:
        pass


@contextmanager
def gated(passwords: Passwords) -> Iterator[Gate]:
    """No secret is hashed until the gate is opened."""
    gate, seats = Gate(), passwords._seats
    passwords._seats = gate  # type: ignore[assignment]
    try:
        yield gate
    finally:
        gate.opened.set()
        passwords._seats = seats


def login(name: str, secret: str = WRONG, **headers: str) -> bytes:
    user = {"name": name, "domain": {"id": "default"}, "password": secret}
    body = json.dumps({"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}).encode()
    asked = head("POST", "/identity/v3/auth/tokens", Content_Type="application/json", Connection="close",
                 Content_Length=str(len(body)), **headers)  # fmt: skip
    return asked + body


def answered(clients: list[socket.socket]) -> list[socket.socket]:
    """Those that have an answer already."""
    return select.select(clients, [], [], 0)[0]


def answers(at: Attacked, cloud: World) -> None:
    """What must be answered, whatever strangers do."""
    asked = ("/compute/v2.1/servers", "/kilonova/v1/health", "/metrics", "/networking/v2.0/ports")
    for path in asked:
        assert status(at.ask(get(path, X_Auth_Token=cloud.a.token), "127.0.0.2")) == 200, path


def test_logins_that_wait_for_their_hash_hold_up_nobody_else(cloud: World) -> None:
    with gated(cloud.cloud.identity.passwords) as gate, attacked(rim_of(cloud.cloud)) as at:
        clients = [at.connect(login(f"stranger-{i}"), f"127.0.1.{i % 4}") for i in range(LOGINS)]
        wait_until(lambda: gate.waiting, "they are at it")
        answers(at, cloud)
        gate.opened.set()
        assert {status(rest(client)) for client in clients} == {401}


def test_who_was_let_in_before_does_not_wait_for_strangers(cloud: World) -> None:
    """Of two seats, one to a lane, strangers hold theirs; the other is free."""
    home = "127.0.1.10"
    with attacked(rim_of(cloud.cloud)) as at:
        assert status(at.ask(login("user-a", PASSWORD), home)) == 201
        with gated(cloud.cloud.identity.passwords) as gate:
            strangers = [at.connect(login(f"guest-{i}"), f"127.0.1.{20 + i % 4}") for i in range(LOGINS)]
            wait_until(lambda: gate.waiting == HASHERS, "strangers are hashed for")
            known = at.connect(login("user-a", PASSWORD), home)
            wait_until(lambda: gate.waiting == HASHERS + 1, "and so is who is known")
            gate.opened.set()
            assert status(one(known)) == 201
            assert {status(rest(client)) for client in strangers} == {401}


def test_an_address_takes_half_of_the_places_to_wait_and_is_told_when_to_ask_again(cloud: World) -> None:
    places = HASHERS + 4  # of the eight to wait in, half
    with gated(cloud.cloud.identity.passwords) as gate, attacked(rim_of(cloud.cloud, login_waiting=8)) as at:
        crowd = [at.connect(login(f"crowd-{i}"), "127.0.1.30") for i in range(30)]
        wait_until(lambda: len(answered(crowd)) >= len(crowd) - places, "the others are told off")
        told = [rest(client) for client in answered(crowd)]
        elsewhere = at.connect(login("elsewhere"), "127.0.1.31")
        gate.opened.set()
        assert {status(answer) for answer in told} == {429}
        assert all(b"retry-after: 2" in answer.lower() for answer in told)
        assert status(one(elsewhere)) == 401


def test_the_right_password_opens_after_wrong_ones(cloud: World) -> None:
    with attacked(rim_of(cloud.cloud)) as at:
        wrong = [at.ask(login("user-b", f"guess-{i}"), "127.0.1.40") for i in range(7)]
        assert {status(answer) for answer in wrong} == {401}
        assert status(at.ask(login("user-b", PASSWORD), "127.0.1.40")) == 201


def test_another_spelling_of_an_address_is_no_other_address(cloud: World) -> None:
    throttle = cloud.cloud.identity.throttle
    with attacked(rim_of(cloud.cloud)) as at:
        for i in range(7):
            forged = login("user-reader", "wrong", X_Forwarded_For=f"203.0.113.{i}")
            assert status(at.ask(forged, "127.0.1.50")) == 401
        assert throttle.guessed()[0] == cloud.reader.user_id
        assert throttle.counts()["delayed"]


def test_a_body_has_an_end_in_time(cloud: World) -> None:
    with attacked(rim_of(cloud.cloud, body_s=0.5), least_rate=1, rate_window_s=300.0) as at:
        asked = head("POST", "/compute/v2.1/servers", X_Auth_Token=cloud.a.token, Content_Length="100000")
        told = at.ask(asked + b'{"server": ')
        assert status(told) == 408
        assert b"did not end within" in told
        assert b"connection: close" in told.lower()


@pytest.mark.parametrize(("path", "shorter"), [("/compute/v2.1/", 401), ("/nowhere/", 404)])
def test_a_path_without_end_leads_nowhere(cloud: World, path: str, shorter: int) -> None:
    with attacked(rim_of(cloud.cloud)) as at:
        assert status(at.ask(get(path + "a" * 60_000))) == 414
        assert status(at.ask(get(path + "a" * 1_000))) == shorter


def test_the_operator_sees_who_is_guessed_at_and_what_was_refused(cloud: World) -> None:
    for i in range(7):
        wrong = {"name": "user-a", "domain": {"id": "default"}, "password": f"guess-{i}"}
        identity = {"methods": ["password"], "password": {"user": wrong}}
        answer = cloud.http.post("/identity/v3/auth/tokens", json={"auth": {"identity": identity}})
        assert answer.status_code == 401
    told = cloud.admin.ok("GET", "kilonova /status")["status"]
    assert cloud.a.user_id in told["guessed"]
    assert told["load"]["logins"]["failed"] >= 7
    assert told["load"]["requests"] == {"inside": 1, "limit": 32 + 1024, "refused": 0}
    assert told["load"]["connections"]["limit"] > 0
    cloud.a.refused(403, "GET", "kilonova /status")
    metrics = cloud.http.get("/metrics", headers={"X-Auth-Token": cloud.admin.token}).text
    assert 'kilonova_logins_total{outcome="failed"}' in metrics
    assert 'kilonova_api_refused_total{of="uploads"} 0.0' in metrics
    assert "kilonova_api_connections" in metrics
    warnings = [line for line in cloud.logged if line["event"] == "logins are being guessed"]
    assert any(line["account"] == cloud.a.user_id for line in warnings)
