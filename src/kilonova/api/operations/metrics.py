"""The counters, in Prometheus' text form."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from kilonova.api.framework import Query, Request, Route, Stream
from kilonova.domain.errors import Unauthenticated

_FORWARDED = ("forwarded", "x-forwarded-for")  # what a proxy says of whom it hands on


class Metrics:
    """Shows a registry. It holds no tenant's data, but how much there is of everything: it is for operators."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def show(self, _req: Request[None, Query]) -> Stream:
        """Everything that is counted."""
        text = generate_latest(self._registry)
        return Stream(iter([text]), len(text), CONTENT_TYPE_PLAIN_0_0_4)

    def show_here(self, req: Request[None, Query]) -> Stream:
        """The same without a token, to whoever asks on this machine. What a proxy hands on comes from beyond it."""
        if any(name in req.headers for name in _FORWARDED):
            raise Unauthenticated("Counters are shown on this machine alone, not through a proxy.")
        return self.show(req)


METRICS_ROUTES = (Route("GET", "/", Metrics.show, policy="kilonova:metrics", lane="health"),)
LOCAL_ROUTES = (Route("GET", "/", Metrics.show_here, auth=False, lane="health"),)
