"""How much clients ask for at once, and what they were refused: for an operator's eyes, and for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kilonova.api.framework import Rim
from kilonova.api.framework.connections import Connections
from kilonova.identity.throttle import LoginThrottle

Counts = dict[str, dict[str, int]]


class Load(Collector):
    """Reads it where it is counted."""

    def __init__(self, rim: Rim, connections: Connections, throttle: LoginThrottle) -> None:
        self._rim, self._connections, self._throttle = rim, connections, throttle

    def counts(self) -> Counts:
        """By what it is of: connections, requests of each lane, transfers of each kind, logins."""
        return {"connections": self._connections.counts(), **self._under_way(), "logins": self._throttle.counts()}

    def guessed(self) -> list[str]:
        """Accounts that are guessed at."""
        return self._throttle.guessed()

    def collect(self) -> Iterator[Metric]:
        """The same at a scrape."""
        connections = self._connections.counts()
        open_now, _ = connections.pop("open"), connections.pop("limit")
        yield GaugeMetricFamily("kilonova_api_connections", "Open connections of clients", value=open_now)
        away = CounterMetricFamily("kilonova_api_turned_away", "Clients refused or cut off", labels=["why"])
        for why, times in connections.items():
            away.add_metric([why], times)
        under_way = GaugeMetricFamily("kilonova_api_under_way", "Requests and transfers under way", labels=["of"])
        refused = CounterMetricFamily("kilonova_api_refused", "Those refused as too many", labels=["of"])
        for kind, counts in self._under_way().items():
            under_way.add_metric([kind], counts["inside"])
            refused.add_metric([kind], counts["refused"])
        logins = CounterMetricFamily("kilonova_logins", "Logins that were wrong, delayed, refused", labels=["outcome"])
        for outcome, times in self._throttle.counts().items():
            logins.add_metric([outcome], times)
        yield from (away, under_way, refused, logins)

    def _under_way(self) -> Counts:
        return {name: lane.counts() for name, lane in self._rim.lanes.items()} | self._rim.transfers.counts()
