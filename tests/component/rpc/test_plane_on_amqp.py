"""The whole control plane on the real broker and the real database."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from kilonova.rpc.amqp.deadletters import DeadLetters
from kilonova.rpc.commands import EnsureServer
from kilonova.rpc.sealing import FILE
from kilonova.store.database import Database
from tests.brokers import Broker
from tests.component.rpc.amqpplane import HOST, AmqpPlane
from tests.component.rpc.conftest import MakeAmqp
from tests.databases import Cluster
from tests.waiting import wait_until


@pytest.fixture
def plane(postgres: Cluster | None, amqp: MakeAmqp, tmp_path: Path) -> Iterator[AmqpPlane]:
    if postgres is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with postgres.database() as url:
        database = Database(url)
        plane = AmqpPlane(database, tmp_path, amqp)
        yield plane
        plane.close()
        database.close()


def wait_for(plane: AmqpPlane, server_id: str, status: str) -> None:
    wait_until(lambda: plane.status(server_id) == status, f"{server_id} {status}")


def purge(rabbitmq: Broker, vhost: str, queue: str) -> None:
    rabbitmq.api("DELETE", f"queues/{vhost.rpartition('/')[2]}/{queue}/contents")


def test_servers_are_booted_and_deleted(plane: AmqpPlane, vhost: str) -> None:
    plane.start("conductor", "scheduler", "agent")
    made = [plane.boot() for _ in range(4)]
    for server_id in made:
        wait_for(plane, server_id, "ACTIVE")
    assert {plane.server(server_id).host for server_id in made} == {HOST}
    for server_id in made:
        plane.delete(server_id)
    for server_id in made:
        wait_for(plane, server_id, "DELETED")
    assert DeadLetters(vhost).every() == []


def test_what_waits_for_a_host_and_what_dies_there_holds_no_secret(
    plane: AmqpPlane, rabbitmq: Broker, vhost: str
) -> None:
    secret, encoded = "hunter2-nobody-shall-read", base64.b64encode(b"hunter2-nobody-shall-read").decode()
    secrets = {"admin_pass": secret, "user_data": encoded, "personality": {"/etc/key": encoded}}
    plane.start("conductor", "scheduler", "agent")
    wait_for(plane, plane.boot(**secrets), "ACTIVE")
    plane.stop("agent")
    server_id = plane.boot(**secrets)
    queue = f"cast:agent.{HOST}"
    with Connection(vhost) as connection:
        channel = connection.channel()
        raw: Any = wait_until(lambda: channel.basic_get(queue), "it waits for its host")
        body = raw.body if isinstance(raw.body, str) else raw.body.decode()
        assert '"EnsureServer"' in body
        assert server_id in body
        for told in (secret, encoded):
            assert told not in body
        channel.basic_reject(raw.delivery_tag, False)
    [letter] = wait_until(DeadLetters(vhost).every, "a dead letter")
    assert '"sealed"' in letter.body
    plane.start("agent")
    wait_for(plane, server_id, "ACTIVE")
    guests = [command.spec.guest for command in plane.commands if isinstance(command, EnsureServer)]
    assert len(guests) >= 2
    assert {(guest.admin_pass, guest.user_data, guest.files["/etc/key"]) for guest in guests} == {
        (secret, encoded, encoded)
    }  # fmt: skip
    assert all(guest.sealed is None for guest in guests)


def test_no_journal_holds_a_secret_and_the_password_goes_once_the_guest_has_it(plane: AmqpPlane) -> None:
    password, encoded = "hunter2-nobody-shall-read", base64.b64encode(b"user data of somebody").decode()
    secrets = {"admin_pass": password, "user_data": encoded}
    plane.start("conductor", "scheduler", "agent")
    wait_for(plane, plane.boot(), "ACTIVE")
    plane.stop("agent")
    server_id = plane.boot(**secrets)
    assert plane.tables_with(password) == plane.tables_with(encoded) == {"servers"}
    plane.start("agent")
    wait_for(plane, server_id, "ACTIVE")
    assert plane.tables_with(password) == set()
    assert plane.tables_with(encoded) == {"servers"}
    plane.delete(server_id)
    wait_for(plane, server_id, "DELETED")
    assert plane.tables_with(encoded) == set()


def test_a_host_with_another_key_is_sent_all_anew(plane: AmqpPlane, tmp_path: Path, vhost: str) -> None:
    plane.start("conductor", "scheduler", "agent")
    wait_for(plane, plane.boot(admin_pass="x"), "ACTIVE")
    plane.stop("agent")
    server_id = plane.boot(admin_pass="hunter2")
    with Connection(vhost) as connection:
        wait_until(lambda: waiting(connection, f"cast:agent.{HOST}"), "it waits for its host")
    (tmp_path / HOST / FILE).unlink()
    plane.start("agent")
    wait_for(plane, server_id, "ACTIVE")
    assert plane.commands[-1].server_id == server_id
    assert DeadLetters(vhost).every() == []


def waiting(connection: Connection, queue: str) -> int:
    return int(connection.channel().queue_declare(queue, passive=True).message_count)


def test_the_broker_loses_every_wake_up_and_the_server_is_active_anyway(
    plane: AmqpPlane, rabbitmq: Broker, vhost: str
) -> None:
    plane.start("conductor", "scheduler", "agent")
    warm = plane.boot()
    wait_for(plane, warm, "ACTIVE")
    plane.stop("agent", "conductor")
    # Said to a conductor that is away, and lost: the pass over the records finds the saga.
    server_id = plane.boot()
    plane.stop("api")
    purge(rabbitmq, vhost, "cast:conductor")
    plane.start("conductor")
    # The command waits for an agent that is away, and is lost: the host asks for what waits for it as it joins.
    wait_until(lambda: plane.server(server_id).host == HOST, "the server placed")
    plane.stop("conductor")
    purge(rabbitmq, vhost, f"cast:agent.{HOST}")
    plane.start("conductor", "agent")
    wait_for(plane, server_id, "ACTIVE")
