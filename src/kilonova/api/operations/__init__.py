"""
Kilonova's own API, for those who run it: health, status, audit (`/kilonova/v1/...`) and counters (`/metrics`).

What OpenStack has a place for is not here.
"""

from __future__ import annotations

from collections.abc import Iterable

from kilonova.api.framework import COMPUTE, PolicyRule, Route, Service, bind
from kilonova.api.operations.load import Load
from kilonova.api.operations.metrics import LOCAL_ROUTES, METRICS_ROUTES, Metrics
from kilonova.api.operations.operations import POLICIES, ROUTES, Operations

__all__ = ["POLICIES", "Load", "Metrics", "Operations", "PolicyRule", "metrics_service", "operations_service"]


def operations_service(operations: Operations, more: Iterable[Route] = ()) -> Service:
    """The service at `/kilonova`, with the routes of other rooms that are neither OpenStack's nor here, each bound."""
    routes = [*bind(ROUTES, operations), *more]
    return Service("kilonova", mount="/kilonova", prefix="/v1", style=COMPUTE, routes=routes)


def metrics_service(metrics: Metrics, *, is_local: bool) -> Service:
    """Prometheus' page; an administrator's token opens it, on a port that `is_local` (loopback alone) nothing is asked."""
    routes = bind(LOCAL_ROUTES if is_local else METRICS_ROUTES, metrics)
    return Service("metrics", mount="/metrics", prefix="", style=COMPUTE, routes=(), root_routes=routes)
