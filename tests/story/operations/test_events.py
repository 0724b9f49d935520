"""What became of servers, read page by page and as it happens, from a cloud's own process."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from kilonova.settings import CloudSettings
from tests.fleet.client import Client
from tests.story.operations.test_stopping import client, process, settings
from tests.waiting import wait_until

__all__ = ["settings"]
EVENTS = "/kilonova/v1/events"


def page(admin: Client, after: int = 0, **query: Any) -> list[dict[str, Any]]:
    answer = admin.http.get(EVENTS, params={"after": after, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["events"]
    return found


def stream(settings: CloudSettings, token: str, last: int | None = None) -> socket.socket:
    """A stream of events, from now on or after a number."""
    where = urlsplit(settings.base_url)
    made = socket.create_connection((str(where.hostname), int(where.port or 0)), 60)
    resumed = "" if last is None else f"Last-Event-ID: {last}\r\n"
    made.sendall(f"GET {EVENTS}/stream HTTP/1.1\r\nHost: h\r\nX-Auth-Token: {token}\r\n{resumed}\r\n".encode())
    return made


def heard(stream: socket.socket, what: str) -> str:
    """All that comes until this does."""
    text = b""
    while what.encode() not in text:
        part = stream.recv(65536)
        assert part, text
        text += part
    return text.decode()


def test_a_servers_life_is_listed_and_streamed(settings: CloudSettings) -> None:
    with process(settings), client(settings) as admin:
        image = admin.image()
        with stream(settings, admin.token) as live:
            heard(live, ": welcome")
            server_id = str(admin.boot("told", image).json()["server"]["id"])
            wait_until(lambda: admin.statuses()["told"] == "ACTIVE", "it runs")
            said = heard(live, "event: instance.create.end")
        assert "event: instance.create.start" in said
        assert server_id in said
        listed = page(admin)
        mine = [one for one in listed if one["server_id"] == server_id]
        assert (mine[0]["event_type"], mine[0]["old_vm_state"]) == ("instance.create.start", None)
        ended = next(one for one in mine if one["event_type"] == "instance.create.end")
        assert (ended["old_vm_state"], ended["vm_state"]) == ("building", "active")
        assert page(admin, after=listed[0]["number"], limit=1) == [listed[1]]
        with stream(settings, admin.token, last=listed[0]["number"]) as again:
            assert f"id: {listed[1]['number']}\n" in heard(again, "instance.create.end")


@pytest.mark.parametrize("query", [{"after": "x"}, {"after": -1}, {"limit": 0}, {"limit": 100000}])
def test_nonsense_is_refused(settings: CloudSettings, query: dict[str, Any]) -> None:
    with process(settings), client(settings) as admin:
        assert admin.http.get(EVENTS, params=query).status_code == 400
