"""Buses for tests: on both transports, or RabbitMQ alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kilonova.rpc.amqp import AmqpBus, Pace
from kilonova.rpc.bus import Bus, Gate
from kilonova.rpc.inprocess import InProcessBus
from tests.brokers import Broker

QUICK = Pace(reconnect_s=0.05, reconnect_most_s=0.5, retry_s=0.01, retry_most_s=0.05, deliveries=6, heartbeat_s=4.0)

MakeAmqp = Callable[..., AmqpBus]


@pytest.fixture
def vhost(rabbitmq: Broker) -> Iterator[str]:
    """The URL of a fresh virtual host."""
    with rabbitmq.vhost() as url:
        yield url


@pytest.fixture
def amqp(vhost: str) -> Iterator[MakeAmqp]:
    """Makes buses, each as in a process of its own, and closes them."""
    made: list[AmqpBus] = []

    def make(url: str = vhost, *, gate: Gate | None = None, pace: Pace = QUICK) -> AmqpBus:
        made.append(AmqpBus(url, gate=gate, pace=pace))
        return made[-1]

    yield make
    for bus in made:
        bus.close()


@pytest.fixture(params=["memory", "amqp"])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    """A bus; a test that asks for it runs on both transports."""
    if request.param == "amqp":
        yield request.getfixturevalue("amqp")()
        return
    bus = InProcessBus()
    yield bus
    bus.close()
