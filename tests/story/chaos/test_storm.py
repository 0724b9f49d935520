"""A short storm over a fleet of processes: `make chaos` has the long one, and the one over real hosts."""

from __future__ import annotations

import pytest

from tests.brokers import SERVER
from tests.chaos.storm.clouds import SimStorm
from tests.chaos.storm.run import Weather, run_storm
from tests.databases import postgres_programs

SHORT = Weather(seed=1, faults=45, strikes=24, every_s=0.8, comes_back_s=1.0, most_s=60.0)


@pytest.mark.skipif(not SERVER.exists() or postgres_programs() is None, reason="needs PostgreSQL and RabbitMQ")
def test_every_server_comes_through_a_storm() -> None:
    said: list[str] = []
    with SimStorm(SHORT.seed, rate=0.1) as cloud:
        summary = run_storm(cloud, SHORT, said.append)
    assert summary["failures"] == [], said
    assert summary["strikes"] == SHORT.strikes
    assert summary["accepted"] > 0
    assert summary["faults"] >= SHORT.faults
