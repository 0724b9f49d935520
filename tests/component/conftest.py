"""What component tests share: a real database, once on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.store.database import Database
from tests import brokers, databases


@pytest.fixture(scope="session")
def postgres() -> Iterator[databases.Cluster | None]:
    """The session's PostgreSQL cluster, None where it is not installed."""
    with databases.cluster() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[brokers.Broker]:
    """The session's RabbitMQ; what asks for it is skipped where it is not installed."""
    with brokers.broker() as broker:
        if broker is None:
            pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
        yield broker


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with all tables; a test that asks for it runs on both engines."""
    if request.param == "sqlite":
        with databases.sqlite(tmp_path) as made:
            yield made
        return
    cluster = request.getfixturevalue("postgres")
    if cluster is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with cluster.database() as url:
        made = Database(url)
        try:
            yield made
        finally:
            made.close()
