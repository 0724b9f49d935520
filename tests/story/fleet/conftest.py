"""One fleet for all stories of a session: two APIs, two conductors, a scheduler, and an agent with twenty simulated hosts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import fleet

HOSTS = 20


@pytest.fixture(scope="session")
def engines() -> Iterator[fleet.Engines]:
    with fleet.Engines() as made:
        if made.cluster is None or made.broker is None:
            pytest.skip("PostgreSQL or RabbitMQ is not installed: apt-get install postgresql rabbitmq-server")
        yield made


@pytest.fixture(scope="session")
def whole(engines: fleet.Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[fleet.Fleet]:
    with engines.fleet(tmp_path_factory.mktemp("fleet")) as made:
        made.start("api", "api", "conductor", "conductor", "scheduler")
        made.start("agent", KILONOVA_AGENT_HOSTS=str(HOSTS))
        made.db("upgrade")  # whoever was started first waits for it
        made.wait_ready()
        made.wait_hosts(HOSTS)
        made.client().lift_quotas()
        yield made


@pytest.fixture
def running(whole: fleet.Fleet) -> Iterator[fleet.Fleet]:
    """The fleet, with every process running, before and after."""
    yield whole
    for node in whole.nodes.values():
        node.ensure_running()
    whole.wait_ready()


@pytest.fixture(scope="session")
def image(whole: fleet.Fleet) -> str:
    return whole.client().image()
