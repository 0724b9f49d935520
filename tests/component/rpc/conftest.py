"""Buses for tests: on both transports, RabbitMQ's with and without TLS, or RabbitMQ alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from kilonova.rpc.amqp import AmqpBus, Pace
from kilonova.rpc.bus import Bus, Gate, Share
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.tls import TlsFiles
from tests.brokers import Broker

QUICK = Pace(reconnect_s=0.05, reconnect_most_s=0.5, retry_s=0.01, retry_most_s=0.05, deliveries=6, heartbeat_s=4.0)

MakeAmqp = Callable[..., AmqpBus]


@pytest.fixture
def vhost(rabbitmq: Broker) -> Iterator[str]:
    """The URL of a fresh virtual host."""
    with rabbitmq.vhost() as url:
        yield url


@pytest.fixture
def vhost_tls(rabbitmq: Broker, vhost: str) -> str:
    """The same over TLS, with the authority that vouches for the broker."""
    return TlsFiles(ca_file=str(rabbitmq.authority.path)).put_into(rabbitmq.over_tls(vhost))


@pytest.fixture
def amqp(vhost: str) -> Iterator[MakeAmqp]:
    """Makes buses, each as in a process of its own, and closes them."""
    made: list[AmqpBus] = []

    def make(url: str = vhost, *, gate: Gate | None = None, share: Share | None = None, pace: Pace = QUICK) -> AmqpBus:
        made.append(AmqpBus(url, gate=gate, share=share, pace=pace))
        return made[-1]

    yield make
    for bus in made:
        bus.close()


@pytest.fixture(params=["memory", "amqp", "amqps"])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    """A bus; a test that asks for it runs on both transports, and over TLS."""
    if request.param != "memory":
        url = request.getfixturevalue({"amqp": "vhost", "amqps": "vhost_tls"}[request.param])
        yield request.getfixturevalue("amqp")(url)
        return
    bus = InProcessBus()
    yield bus
    bus.close()
