"""
A loaded API is told to stop: what it accepted is done, whoever was told 202 has a server, and nobody else has one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text

from tests.fleet import Fleet, Node
from tests.hammering import Hammering
from tests.waiting import wait_until, within

CLIENTS = 8
DRAIN_S = 2
GONE_S = 30.0  # what is under way takes less than a second each; the machine may be busy
_WAITS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM quota_usage%'"
)
_LOCK = text("LOCK TABLE quota_usage IN ACCESS EXCLUSIVE MODE")


@pytest.fixture
def leaving(running: Fleet) -> Iterator[Node]:
    """An API of its own, which is nobody's when the story is over."""
    [node] = running.start("api", KILONOVA_API_DRAIN_S=str(DRAIN_S))
    node.wait_ready()
    yield node
    del running.nodes[node.name]
    node.close()


@pytest.fixture
def records(running: Fleet) -> Iterator[Engine]:
    made = create_engine(running.database_url.replace("postgresql://", "postgresql+psycopg://"))
    yield made
    made.dispose()


def stop(node: Node) -> None:
    """Tell it to stop, and see it end by itself."""
    assert within(GONE_S, node.stop) == 0, node.tail()


def test_under_load_every_202_that_was_heard_is_a_server_and_no_other_is(
    running: Fleet, image: str, leaving: Node
) -> None:
    load = Hammering(running.client(), leaving.url, image)
    with load.by(CLIENTS), socket.create_connection(("127.0.0.1", leaving.port)) as half:
        half.sendall(b"POST /compute/v2.1/servers HTTP/1.1\r\nhost: h\r\n")
        try:
            wait_until(lambda: len(load.accepted) >= 3 * CLIENTS, "there is load")
            stop(leaving)
        finally:
            leaving.kill()
    assert set(load.outcomes.values()) <= {202, None}
    assert leaving.lines()[-1]["event"] == "stopped"
    assert [line for line in leaving.lines() if line["level"] in ("error", "critical")] == []
    client = running.client()
    wait_until(lambda: "BUILD" not in load.servers(client).values(), "every server is built", 120)
    assert load.servers(client) == dict.fromkeys(load.accepted, "ACTIVE")
    assert wait_until(lambda: client.orphans() == {}, "nothing is left over", 30)


def test_a_request_that_cannot_end_and_an_upload_that_does_not_are_not_waited_for(
    running: Fleet, image: str, leaving: Node, records: Engine
) -> None:
    client = running.client()
    load = Hammering(client, leaving.url, image)
    wanted = {"name": "stalls", "disk_format": "raw", "container_format": "bare"}
    stalls = client.http.post("/image/v2/images", json=wanted).raise_for_status().json()["id"]
    upload = (
        f"PUT /image/v2/images/{stalls}/file HTTP/1.1\r\nhost: h\r\nx-auth-token: {client.token}\r\n"
        "content-type: application/octet-stream\r\ncontent-length: 1000000\r\n\r\nonly so much"
    )
    with records.connect() as holding, socket.create_connection(("127.0.0.1", leaving.port)) as uploading:
        holding.execute(_LOCK)
        uploading.sendall(upload.encode())
        with load.by(1):
            try:
                wait_until(lambda: waits(records), "a request waits for the database", 30)
                stop(leaving)
            finally:
                leaving.kill()
        holding.rollback()
    assert list(load.outcomes.values()) == [503]
    assert load.servers(client) == {}
    client.http.delete(f"/image/v2/images/{stalls}").raise_for_status()


def waits(records: Engine) -> bool:
    with records.connect() as connection:
        return bool(connection.execute(_WAITS).scalar_one())
