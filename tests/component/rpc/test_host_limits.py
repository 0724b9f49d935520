"""How much of a real broker a host's account may have, and that an agent's bad luck with its network stays within that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from amqp.exceptions import NotAllowed
from kombu import Connection

from kilonova.rpc.amqp import AmqpBus, Pace
from kilonova.rpc.messages import Heartbeat, Ok
from kilonova.rpc.rabbitmq_accounts import MOST_CHANNELS, MOST_CONNECTIONS, RabbitAccounts
from tests.brokers import Broker
from tests.component.rpc.conftest import MakeAmqp
from tests.component.rpc.seen import WAIT_S
from tests.tcpproxy import TcpProxy
from tests.waiting import wait_until

A, B = "a", "b"
Crowd = Callable[[str, int], list[Connection]]


@pytest.fixture
def accounts(rabbitmq: Broker, vhost: str) -> Iterator[RabbitAccounts]:
    made = RabbitAccounts(rabbitmq.management_url.replace("://", "://guest:guest@"), vhost)
    yield made
    for host in made.hosts():
        made.remove(host)
    made.close()


@pytest.fixture
def urls(accounts: RabbitAccounts, amqp: MakeAmqp) -> dict[str, str]:
    """How hosts reach a conductor."""
    amqp().serve("conductor", lambda _: Ok())
    return {host: accounts.create(host) for host in (A, B)}


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """Opens connections, as many as are wanted, and closes them after the test."""
    with ExitStack() as stack:

        def connect(url: str, count: int) -> list[Connection]:
            made = [stack.enter_context(Connection(url, connect_timeout=10)) for _ in range(count)]
            for one in made:
                one.connect()
            return made

        yield connect


def test_a_host_has_so_many_connections_and_takes_none_of_anothers(urls: dict[str, str], crowd: Crowd) -> None:
    crowd(urls[A], MOST_CONNECTIONS)
    with pytest.raises(NotAllowed, match="connection limit"):
        crowd(urls[A], 1)
    crowd(urls[B], 1)


def test_a_host_has_so_many_channels_over_all_its_connections(urls: dict[str, str], crowd: Crowd) -> None:
    first, second = crowd(urls[A], 2)
    held = [first.channel() for _ in range(MOST_CHANNELS - 1)]
    held.append(second.channel())
    with pytest.raises(NotAllowed, match="number of channels"):
        second.channel()
    assert crowd(urls[B], 1)[0].channel().is_open


def test_an_account_made_anew_or_by_an_earlier_release_is_bounded_too(
    urls: dict[str, str], accounts: RabbitAccounts, rabbitmq: Broker, crowd: Crowd
) -> None:
    newer = accounts.create(A)
    crowd(newer, MOST_CONNECTIONS)
    with pytest.raises(NotAllowed, match="connection limit"):
        crowd(newer, 1)
    for limit in ("max-connections", "max-channels"):
        rabbitmq.api("DELETE", f"user-limits/host.{B}/{limit}")
    crowd(urls[B], MOST_CONNECTIONS + 1)
    accounts.allow(B)
    with pytest.raises(NotAllowed, match="connection limit"):
        crowd(urls[B], 1)


def test_an_agent_comes_back_beside_its_dead_connections(urls: dict[str, str], rabbitmq: Broker) -> None:
    """Each life of an agent has two. Past the bound it is let in again as soon as the broker finds its dead out."""
    proxy = TcpProxy(rabbitmq.port)
    url = urls[A].replace(f":{rabbitmq.port}/", f":{proxy.port}/")
    agent = AmqpBus(url, pace=Pace(reconnect_s=0.05, reconnect_most_s=0.2, heartbeat_s=600.0))
    lives = MOST_CONNECTIONS // 2
    try:
        for lost in range(2, 2 * lives + 1, 2):
            assert agent.call("conductor", Heartbeat(hosts=(A,)), timeout_s=WAIT_S) == Ok()
            proxy.lose()
            wait_until(lambda lost=lost: agent.state().reconnects == lost, "both losses noticed")
            if lost < 2 * lives:
                wait_until(lambda: agent.state().connected, "a new life")
        for link in (agent._receiving, agent._sending):
            link.is_down.clear()
            wait_until(link.is_down.is_set, "a refusal")
        assert not agent.state().connected
        proxy.forget()
        assert agent.call("conductor", Heartbeat(hosts=(A,)), timeout_s=WAIT_S) == Ok()
    finally:
        agent.close()
        proxy.close()
