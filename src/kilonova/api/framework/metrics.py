"""What Prometheus may know of requests: service, route and status, never an id."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class RimMetrics:
    """Counts and times requests in the registry it is given."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._requests = Counter(
            "kilonova_api_requests", "Requests answered", ("service", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "kilonova_api_request_seconds", "Time to answer", ("service", "route"), registry=registry, buckets=_BUCKETS
        )

    def observe(self, service: str, route: str, status: int, seconds: float) -> None:
        """One answered request; 499 is a client that went away."""
        self._requests.labels(service, route, str(status)).inc()
        self._seconds.labels(service, route).observe(seconds)
