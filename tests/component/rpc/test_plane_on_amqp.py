"""The whole control plane on the real broker and the real database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.rpc.amqp.deadletters import DeadLetters
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
