"""A conductor's metrics: what its own runner does, and how the fleet fares by the records."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from kilonova.conductor.kernel.execution import OnJournal
from kilonova.domain.clock import Clock
from kilonova.domain.saga import Event, JournalEvent, Saga
from kilonova.store.away import DatabaseAway
from kilonova.store.database import Database
from kilonova.store.queries import fleet_metrics

_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_AGES_S = (30.0, 60.0, 300.0)
_log = structlog.get_logger(__name__)


class JournalMetrics:
    """Counts the lines of journals that this process commits, and leaves a line in the log for every saga's end."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._turns = Counter(
            "kilonova_saga_turns", "Turns, by what they came to", ("kind", "event"), registry=registry
        )
        self._ended = Counter("kilonova_sagas_ended", "Sagas that ended", ("kind", "outcome"), registry=registry)
        self._seconds = Histogram(
            "kilonova_saga_seconds", "From request to end", ("kind",), registry=registry, buckets=_BUCKETS
        )

    def before(self, following: OnJournal) -> OnJournal:
        """A listener to journals that counts, and passes on."""

        def heard(saga: Saga, event: JournalEvent, when: str) -> None:
            if when == "after":
                self._count(saga, event)
            following(saga, event, when)

        return heard

    def _count(self, saga: Saga, event: JournalEvent) -> None:
        self._turns.labels(saga.kind, event.event.value).inc()
        if event.event is Event.FINISHED:
            outcome = "done" if event.error is None else "failed"
            seconds = (event.at - saga.created_at).total_seconds()
            self._ended.labels(saga.kind, outcome).inc()
            self._seconds.labels(saga.kind).observe(seconds)
            _log.info("saga ended", kind=saga.kind, outcome=outcome, why=event.error, seconds=round(seconds, 3))


class FleetCollector(Collector):
    """
    The fleet by its records, at each scrape. Every conductor shows the same, so take the maximum over them, not the sum.

    `takeovers` are this conductor's own.
    """

    def __init__(self, db: Database, clock: Clock, takeovers: Callable[[], int]) -> None:
        self._db, self._clock, self._takeovers = db, clock, takeovers

    def describe(self) -> Iterator[Metric]:
        """Nothing: registering must not read the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Read them; while the database is away there is nothing to show."""
        yield CounterMetricFamily(
            "kilonova_saga_takeovers", "Sagas taken over from conductors that went silent", value=self._takeovers()
        )
        now = self._clock.now()
        try:
            with self._db.read() as tx:
                sagas, heard = fleet_metrics.in_flight(tx), fleet_metrics.heard_of(tx)
                run_out = fleet_metrics.leases_run_out(tx, now)
        except DatabaseAway:
            return
        count = GaugeMetricFamily("kilonova_sagas_in_flight", "Sagas under way", labels=("kind", "status"))
        oldest = GaugeMetricFamily("kilonova_sagas_oldest_seconds", "Age of the oldest", labels=("kind", "status"))
        for one in sagas:
            count.add_metric((one.kind, one.status), one.number)
            oldest.add_metric((one.kind, one.status), (now - one.oldest).total_seconds())
        ages = [(now - seen).total_seconds() for seen in heard.values()]
        silent = GaugeMetricFamily("kilonova_hosts_silent", "Hosts not heard of for so long", labels=("seconds",))
        for age_s in _AGES_S:
            silent.add_metric((f"{age_s:g}",), sum(age > age_s for age in ages))
        yield from (count, oldest, silent)
        yield GaugeMetricFamily("kilonova_saga_leases_run_out", "Sagas whose runner died with them", value=run_out)
        yield GaugeMetricFamily("kilonova_hosts", "Hosts", value=len(ages))
        yield GaugeMetricFamily(
            "kilonova_heartbeat_age_seconds", "Of the host longest silent", value=max(ages, default=0)
        )
