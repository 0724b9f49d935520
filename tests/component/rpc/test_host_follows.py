"""A host's account on a real broker follows networks and groups that it can name, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from amqp.exceptions import AccessRefused
from kombu import Connection, Exchange, Queue

from kilonova.rpc.amqp import AmqpBus
from kilonova.rpc.amqp.names import EXCHANGE, fanout_key
from kilonova.rpc.rabbitmq_accounts import RabbitAccounts
from tests import brokers
from tests.component.rpc.seen import Seen, ready
from tests.waiting import wait_until

SHARE, OTHER = (f"share.{digit * 8}-8bec-4026-8c88-75caaa2914cf" for digit in "12")


@pytest.fixture(scope="module")
def broker() -> Iterator[brokers.Broker]:
    with brokers.broker() as made:
        if made is None:
            pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
        yield made


@pytest.fixture
def accounts(broker: brokers.Broker) -> Iterator[RabbitAccounts]:
    with broker.vhost() as url:
        made = RabbitAccounts(broker.management_url.replace("http://", "http://guest:guest@"), url)
        yield made
        for name in made.hosts():
            made.remove(name)
        made.close()


def plane_of(host_url: str) -> AmqpBus:
    """The control plane's bus, in the virtual host that a host's URL names."""
    parts = urlsplit(host_url)
    return AmqpBus(parts._replace(netloc=f"guest:guest@{parts.netloc.rpartition('@')[2]}").geturl())


def hears(plane: AmqpBus, host: Seen, subject: str, word: str) -> None:
    """Wait until it does; what is fanned out before the host follows is gone."""

    def told() -> bool:
        plane.fanout(subject, ready(word))
        return word in host.counts()

    wait_until(told, f"the host hears of {subject}")


def test_a_host_hears_of_what_it_follows_over_every_connection(
    accounts: RabbitAccounts, broker: brokers.Broker
) -> None:
    url, seen = accounts.create("a"), Seen()
    plane, host = plane_of(url), AmqpBus(url)
    try:
        host.serve("agent.a", seen)
        host.follow("agent.a", [SHARE])
        hears(plane, seen, SHARE, "first")
        plane.fanout(OTHER, ready("another's"))
        losses = host.state().reconnects
        broker.ctl("close_all_user_connections", "host.a", "a test")
        wait_until(lambda: host.state().reconnects > losses, "it was disconnected")
        hears(plane, seen, SHARE, "again")
        assert "another's" not in seen.counts()
    finally:
        host.close()
        plane.close()


@pytest.mark.parametrize("pattern", ["share.#", "share.*", "#", "agent.b", "scheduler"])
def test_a_host_follows_no_pattern_and_nobody_else(accounts: RabbitAccounts, pattern: str) -> None:
    url = accounts.create("a")
    plane = plane_of(url)
    plane.serve("conductor", Seen())
    plane.close()
    topic = Exchange(EXCHANGE, "topic", no_declare=True)
    with Connection(url, connect_timeout=10) as connection:
        own = Queue("fanout:host.a:00ff", topic, exclusive=True, routing_key=fanout_key(SHARE))(connection.channel())
        own.declare()
        with pytest.raises(AccessRefused):
            own.bind_to(topic, routing_key=fanout_key(pattern))


def test_an_account_of_an_earlier_release_is_allowed_what_this_one_needs(
    accounts: RabbitAccounts, broker: brokers.Broker
) -> None:
    url, seen = accounts.create("a"), Seen()
    vhost = urlsplit(url).path.removeprefix("/")
    earlier = {
        "exchange": EXCHANGE,
        "write": "^.*$",
        "read": r"^((cast|call|fanout):agent\.a|reply:host\.a:[0-9a-f]+)$",
    }
    broker.api("PUT", f"topic-permissions/{vhost}/host.a", earlier)
    plane, host = plane_of(url), AmqpBus(url)
    try:
        host.serve("agent.a", seen)
        host.follow("agent.a", [SHARE])
        wait_until(lambda: host.state().reconnects > 0, "the broker refuses the earlier account")
        accounts.allow("a")
        hears(plane, seen, SHARE, "allowed")
    finally:
        host.close()
        plane.close()
