from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

import httpx2
import pytest
from prometheus_client import CollectorRegistry, Counter

from kilonova.daemon import life
from kilonova.daemon.health import Health, HealthServer
from kilonova.daemon.life import Component, Daemon, live
from kilonova.domain.errors import Away, Conflict
from tests.waiting import wait_until

WAIT_S = 20.0


class Part:
    """A role that tells what happens to it."""

    def __init__(self, name: str, heard: list[str], *, stops_badly: bool = False, cannot: int = 0) -> None:
        self._name, self._heard, self._stops_badly, self._cannot = name, heard, stops_badly, cannot

    def start(self) -> None:
        self._cannot -= 1
        if self._cannot >= 0:
            self._heard.append(f"{self._name} cannot")
            raise Away("it went this moment")
        self._heard.append(f"start {self._name}")

    def stop(self) -> None:
        self._heard.append(f"stop {self._name}")
        if self._stops_badly:
            raise RuntimeError("no")


class Living:
    """A process of two parts, in a thread; its only check is ours to turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, cannot: int = 0) -> None:
        self.problem, self._cannot = "it is away", cannot
        self.heard: list[str] = []
        self.asked, self.serving, self.stopping = threading.Event(), threading.Event(), threading.Event()
        monkeypatch.setattr(life, "FIRST_PAUSE_S", 0.01)
        monkeypatch.setattr(life, "_notify", self._notified)
        self.health = Health({"database": self._check}, CollectorRegistry())
        daemon = Daemon(
            health=self.health, health_host="127.0.0.1", health_port=0, make_roles=self._roles,
            close=lambda: self.heard.append("close"), stop_s=WAIT_S,
        )  # fmt: skip
        self.thread = threading.Thread(target=live, args=(daemon, self.stopping))
        self.thread.start()

    def _check(self) -> str:
        self.asked.set()
        return self.problem

    def _roles(self) -> Sequence[Component]:
        return [Part("one", self.heard, stops_badly=True), Part("other", self.heard, cannot=self._cannot)]

    def _notified(self, state: str) -> None:
        self.heard.append(state)
        self.serving.set()

    def end(self) -> None:
        self.stopping.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


def test_it_serves_once_its_checks_pass_and_ends_what_it_began_in_reverse(monkeypatch: pytest.MonkeyPatch) -> None:
    living = Living(monkeypatch)
    assert living.asked.wait(WAIT_S)
    assert living.heard == []
    assert "waiting for database" in living.health.problems()["process"] or living.health.hold == "starting"
    living.problem = ""
    assert living.serving.wait(WAIT_S)
    assert living.health.problems() == {}
    living.problem = "gone again"
    assert living.health.problems() == {"database": "gone again"}
    living.end()
    # One that stops badly keeps no other from being stopped.
    assert living.heard == [
        "start one", "start other", "READY=1", "STOPPING=1", "stop other", "stop one", "close",
    ]  # fmt: skip
    assert living.health.problems()["process"] == "stopping"


def test_a_part_that_cannot_begin_just_now_is_asked_again_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    living = Living(monkeypatch, cannot=2)
    living.problem = ""
    assert living.serving.wait(WAIT_S)
    living.end()
    assert living.heard == [
        "start one", "other cannot", "other cannot", "start other", "READY=1", "STOPPING=1", "stop other", "stop one",
        "close",
    ]  # fmt: skip


def test_told_to_stop_while_a_part_cannot_begin_it_ends_those_that_did(monkeypatch: pytest.MonkeyPatch) -> None:
    living = Living(monkeypatch, cannot=1000)
    living.problem = ""
    wait_until(lambda: "what its parts stand on" in living.health.problems()["process"], "it says why")
    living.end()
    assert {one for one in living.heard if one != "other cannot"} == {"start one", "STOPPING=1", "stop one", "close"}


def test_told_to_stop_while_it_waits_it_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    living = Living(monkeypatch)
    assert living.asked.wait(WAIT_S)
    living.end()
    assert living.heard == ["STOPPING=1", "close"]


HANGS = """
import threading
from prometheus_client import CollectorRegistry
from kilonova.daemon.health import Health
from kilonova.daemon.life import Daemon, live
from kilonova.logs import configure_logs

class Part:
    def start(self): pass
    def stop(self): wait_for_what_never_comes()

def wait_for_what_never_comes(): threading.Event().wait()

configure_logs()
live(Daemon(health=Health({}, CollectorRegistry()), health_host="127.0.0.1", health_port=0, make_roles=lambda: [Part()],
            close=lambda: None, stop_s=0.3))
"""


def test_a_part_that_hangs_does_not_keep_the_process_and_the_log_says_where_it_hung() -> None:
    child = subprocess.Popen([sys.executable, "-c", HANGS], stderr=subprocess.PIPE, text=True)
    with child:
        try:
            assert child.stderr is not None
            while json.loads(child.stderr.readline())["event"] != "ready":
                pass
            child.terminate()
            _, said = child.communicate(timeout=WAIT_S)
        finally:
            child.kill()
    assert child.returncode == 1
    last = json.loads(said.splitlines()[-1])
    assert last["event"].startswith("it did not stop in time")
    assert any("wait_for_what_never_comes" in each for each in last["at"])


def test_health_over_http() -> None:
    registry = CollectorRegistry()
    Counter("things", "Things", registry=registry).inc()
    problems = {"bus": "it is not connected"}
    health = Health({"bus": lambda: problems.get("bus", "")}, registry)
    server = HealthServer(health, "127.0.0.1", 0)
    server.start()
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http:
            assert http.get("/healthz/live").status_code == 200
            ready = http.get("/healthz/ready")
            assert ready.status_code == 503
            assert ready.json()["problems"] == {"process": "starting", "bus": "it is not connected"}
            problems.clear()
            health.hold = ""
            assert http.get("/healthz/ready/").json() == {"status": "ok", "problems": {}}
            assert "things_total 1.0" in http.get("/metrics").text
            assert http.get("/etc/passwd").status_code == 404
    finally:
        server.stop()


@pytest.mark.parametrize("token", ["", "of-prometheus"])
def test_health_beyond_loopback_tells_words_and_counters_to_who_has_the_token(token: str) -> None:
    registry = CollectorRegistry()
    Counter("things", "Things", registry=registry).inc()
    health = Health({"bus": lambda: "amqp://broker does not answer"}, registry, token=token)
    server = HealthServer(health, "0.0.0.0", 0)  # noqa: S104 - that is the point
    server.start()
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http:
            assert http.get("/healthz/live").status_code == 200
            for given in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer of-anybody"}):
                ready, metrics = http.get("/healthz/ready", headers=given), http.get("/metrics", headers=given)
                assert (ready.status_code, ready.json()) == (503, {"status": "not ready"})
                assert (metrics.status_code, metrics.headers["WWW-Authenticate"]) == (401, "Bearer")
                assert "things" not in metrics.text
            theirs = {"Authorization": "Bearer of-prometheus"}
            assert http.get("/metrics", headers=theirs).status_code == (200 if token else 401)
            assert ("problems" in http.get("/healthz/ready", headers=theirs).json()) is bool(token)
    finally:
        server.stop()


def test_what_a_proxy_hands_on_is_not_of_this_machine() -> None:
    server = HealthServer(Health({}, CollectorRegistry()), "127.0.0.1", 0)
    server.start()
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as http:
            assert http.get("/metrics").status_code == 200
            assert http.get("/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401
    finally:
        server.stop()


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Conflict, match="cannot be had") as raised:
        HealthServer(Health({}, CollectorRegistry()), "127.0.0.1", taken.getsockname()[1])
    assert "health_port" in raised.value.next_step


def test_systemd_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory) -> None:
    address = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        life._notify("READY=1")
        assert supervisor.recv(100) == b"READY=1"
