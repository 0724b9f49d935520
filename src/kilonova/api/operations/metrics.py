"""The counters, in Prometheus' text form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from kilonova.api.framework import Query, Request, Route, Stream


class Metrics:
    """Shows a registry. It holds no tenant's data, so it needs no token."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def show(self, _req: Request[None, Query]) -> Stream:
        """Everything that is counted."""
        text = generate_latest(self._registry)
        return Stream(iter([text]), len(text), CONTENT_TYPE_PLAIN_0_0_4)


METRICS_ROUTES = (Route("GET", "/", Metrics.show, auth=False, lane="health"),)
