"""A host's account on a real broker: it serves its own topic and speaks to the conductor, and can do nothing else."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from amqp.exceptions import AccessRefused, NotFound
from kombu import Connection, Exchange, Queue

from kilonova.conductor.host_gate import HostGate
from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.errors import Rejected, Unavailable
from kilonova.rpc.amqp import AmqpBus, wire
from kilonova.rpc.amqp.names import EXCHANGE, FROM_HOSTS, cast_key, cast_queue
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import GetUptime, Heartbeat, Message, Ok, SagaReady, Uptime
from kilonova.rpc.rabbitmq_accounts import RabbitAccounts
from kilonova.store.queries import host_access
from tests import brokers, databases
from tests.world.clock import ManualClock

A, B, NEAR = "a", "b", "a.b"
WAIT_S = 20.0


@pytest.fixture(scope="module")
def broker() -> Iterator[brokers.Broker]:
    with brokers.broker() as made:
        if made is None:
            pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
        yield made


@dataclass
class Cluster:
    """A virtual host with a conductor, and accounts for hosts A and B, and for one whose name begins with A's."""

    accounts: RabbitAccounts
    url: str
    plane: AmqpBus
    heard: queue.Queue[Message]
    urls: dict[str, str]


@pytest.fixture
def cluster(broker: brokers.Broker) -> Iterator[Cluster]:
    with broker.vhost() as url:
        management = broker.management_url.replace("http://", "http://guest:guest@")
        accounts = RabbitAccounts(management, url)
        heard: queue.Queue[Message] = queue.Queue()

        def conductor(message: Message) -> Message:
            heard.put(message)
            return Ok()

        plane = AmqpBus(url)
        plane.serve("conductor", conductor)
        try:
            yield Cluster(accounts, url, plane, heard, {name: accounts.create(name) for name in (A, B, NEAR)})
        finally:
            plane.close()
            for name in accounts.hosts():
                accounts.remove(name)
            accounts.close()


@pytest.fixture
def agents(cluster: Cluster) -> Iterator[dict[str, AmqpBus]]:
    """The buses of the hosts, each serving its topic."""
    buses = {name: AmqpBus(url) for name, url in cluster.urls.items()}
    for name, bus in buses.items():
        bus.serve(f"agent.{name}", _uptime_of(name))
    yield buses
    for bus in buses.values():
        bus.close()


def _uptime_of(name: str) -> Callable[[Message], Message]:
    return lambda _message: Uptime(text=f"up on {name}")


def refused(url: str, forbidden: Callable[[Any], object]) -> bool:
    """Whether the broker refuses an account something."""
    with Connection(url, connect_timeout=10) as connection:
        channel = connection.channel()
        try:
            channel.confirm_select()
            forbidden(channel)
        except AccessRefused:
            return True
        return False


def queues(cluster: Cluster) -> set[str]:
    """The queues that casts to hosts wait in."""
    found = set()
    for name in (A, B, NEAR):
        with Connection(cluster.url) as connection, contextlib.suppress(NotFound):
            connection.channel().queue_declare(cast_key(f"agent.{name}"), passive=True)
            found.add(cast_key(f"agent.{name}"))
    return found


def published(key: str, exchange: str = FROM_HOSTS, **properties: Any) -> Callable[[Any], object]:
    def publish(channel: Any) -> None:
        channel.basic_publish_confirm(channel.prepare_message(b"{}", **properties), exchange=exchange, routing_key=key)

    return publish


def test_a_host_serves_its_topic_and_speaks_to_the_conductor(cluster: Cluster, agents: dict[str, AmqpBus]) -> None:
    for name, bus in agents.items():
        assert cluster.plane.call(f"agent.{name}", GetUptime(), timeout_s=WAIT_S) == Uptime(text=f"up on {name}")
        assert bus.call("conductor", Heartbeat(hosts=(name,)), timeout_s=WAIT_S) == Ok()
        bus.cast("conductor", Heartbeat(hosts=(name, "cast")))
    said = {cluster.heard.get(timeout=WAIT_S) for _ in range(2 * len(agents))}
    assert {Heartbeat(hosts=(A,)), Heartbeat(hosts=(A, "cast")), Heartbeat(hosts=(NEAR,))} <= said


@pytest.mark.usefixtures("agents")
@pytest.mark.parametrize("other", [B, NEAR])
def test_a_host_has_no_part_in_anothers_queue(cluster: Cluster, other: str) -> None:
    mine = cluster.urls[A]
    key = cast_key(f"agent.{other}")
    topic = Exchange(EXCHANGE, "topic", no_declare=True)
    for forbidden in (
        lambda channel: channel.basic_consume(key, callback=print),
        lambda channel: channel.basic_get(key),
        lambda channel: channel.queue_purge(key),
        lambda channel: channel.queue_delete(key),
        lambda channel: cast_queue(f"agent.{other}")(channel).declare(),
        lambda channel: Queue(f"reply:host.{other}:00ff")(channel).declare(),
        # Its own queue, bound to what is said to another.
        lambda channel: Queue("cast:agent.a", topic, routing_key=key, no_declare=True)(channel).bind_to(
            topic, routing_key=key
        ),
        lambda channel: Queue("cast:agent.a", topic, no_declare=True)(channel).bind_to(topic, routing_key="#"),
        published(key),
        published(f"call:agent.{other}"),
        published(f"fanout:agent.{other}"),
        published(key, exchange=""),
        published(key, exchange=EXCHANGE),
    ):
        assert refused(mine, forbidden), forbidden


def test_a_host_may_speak_to_the_conductor(cluster: Cluster) -> None:
    """Else what is refused in the tests beside this one would say nothing."""
    assert not refused(cluster.urls[A], published("cast:conductor"))


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda channel: channel.basic_consume("cast:conductor", callback=print),
        lambda channel: channel.basic_get("cast:conductor"),
        lambda channel: channel.queue_delete("cast:conductor"),
        lambda channel: Queue("anything")(channel).declare(),
        lambda channel: Exchange("anything", "fanout")(channel).declare(),
        lambda channel: channel.exchange_delete(EXCHANGE),
        published("cast:scheduler"),
        published("fanout:conductor"),
        published("cast:conductor", exchange="amq.topic"),
        published("cast:conductor", exchange=EXCHANGE),
    ],
)
def test_a_host_has_no_part_in_the_control_planes(cluster: Cluster, forbidden: Callable[[Any], object]) -> None:
    assert refused(cluster.urls[A], forbidden)


def test_a_host_cannot_say_that_it_is_another(cluster: Cluster) -> None:
    with Connection(cluster.urls[A]) as connection:
        channel = connection.channel()
        channel.confirm_select()
        message = channel.prepare_message(b"{}", properties={"user_id": "host.b"})
        with pytest.raises(Exception, match="user_id"):
            channel.basic_publish_confirm(message, exchange=FROM_HOSTS, routing_key="cast:conductor")


def test_a_new_account_ends_the_old_one(cluster: Cluster, agents: dict[str, AmqpBus]) -> None:
    assert agents[A].call("conductor", Heartbeat(hosts=(A,)), timeout_s=WAIT_S) == Ok()
    newer = cluster.accounts.create(A)
    assert urlsplit(newer).password != urlsplit(cluster.urls[A]).password
    with pytest.raises(AccessRefused), Connection(cluster.urls[A], connect_timeout=10) as old:
        old.connect()
    with Connection(newer, connect_timeout=10) as new:
        new.connect()
    with pytest.raises(NoAnswer):
        cluster.plane.call(f"agent.{A}", GetUptime(), timeout_s=3)


def test_a_removed_host_is_disconnected_and_may_be_removed_again(cluster: Cluster, agents: dict[str, AmqpBus]) -> None:
    assert cluster.accounts.hosts() == [A, NEAR, B]
    cluster.accounts.remove(B)
    cluster.accounts.remove(B)
    assert cluster.accounts.hosts() == [A, NEAR]
    assert queues(cluster) >= {cast_key("agent.a"), cast_key("agent.a.b")}
    assert cast_key("agent.b") not in queues(cluster)
    with pytest.raises(NoAnswer):
        cluster.plane.call(f"agent.{B}", GetUptime(), timeout_s=3)
    assert cluster.plane.call(f"agent.{A}", GetUptime(), timeout_s=WAIT_S) == Uptime(text="up on a")


def test_a_broker_that_does_not_answer_or_refuses_is_said_without_its_password(broker: brokers.Broker) -> None:
    (free,) = brokers.free_ports(1)
    for url in (f"http://guest:hidden@127.0.0.1:{free}", broker.management_url.replace("://", "://guest:hidden@")):
        accounts = RabbitAccounts(url, "amqp://x@y/z")
        with pytest.raises(Unavailable) as told:
            accounts.create(A)
        assert "hidden" not in f"{told.value}{told.value.next_step}"
        assert "management" in told.value.message
        accounts.close()
    with pytest.raises(Rejected):
        RabbitAccounts("amqp://guest:guest@host", "amqp://x@y/z")


def test_the_gate_hears_whom_the_broker_vouches_for(broker: brokers.Broker, tmp_path: Path) -> None:
    heard: queue.Queue[Message] = queue.Queue()
    with broker.vhost() as url, databases.sqlite(tmp_path) as database:
        accounts = RabbitAccounts(broker.management_url.replace("://", "://guest:guest@"), url)
        clock = ManualClock()
        with database.write() as tx:
            host_access.give_credential(tx, A, "hash", clock.now())
        gate = HostGate(database, clock, RefusalLog(database, clock))
        plane = AmqpBus(url, gate=gate.admit)
        plane.serve("conductor", heard.put)
        mine = accounts.create(A)
        host = AmqpBus(mine)
        host.cast("conductor", Heartbeat(hosts=(B,)))
        with pytest.raises(NoAnswer, match="may not say this"):
            host.call("conductor", SagaReady(saga_id="x"), timeout_s=WAIT_S)
        assert not refused(mine, published("cast:conductor"))  # junk, and from nobody
        with Connection(mine) as connection:
            channel = connection.channel()
            channel.confirm_select()
            unsigned = channel.prepare_message(wire.encode(Heartbeat(hosts=(A,))))
            channel.basic_publish_confirm(unsigned, exchange=FROM_HOSTS, routing_key="cast:conductor")
        host.cast("conductor", Heartbeat(hosts=(A,)))
        assert heard.get(timeout=WAIT_S) == Heartbeat(hosts=(A,))
        assert heard.empty()
        host.close()
        plane.close()
        accounts.remove(A)
        accounts.close()
        with database.read() as tx:
            found = {(one.sender, one.what) for one in host_access.refused(tx)}
        assert found == {("host.a", "Heartbeat"), ("host.a", "SagaReady"), ("nobody", "Heartbeat")}
