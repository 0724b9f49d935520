"""
Kilonova's own API, for those who run it: health, status, audit (`/kilonova/v1/...`) and counters (`/metrics`).

What OpenStack has a place for is not here.
"""

from __future__ import annotations

from kilonova.api.framework import COMPUTE, PolicyRule, Service, bind
from kilonova.api.operations.metrics import METRICS_ROUTES, Metrics
from kilonova.api.operations.operations import POLICIES, ROUTES, Operations

__all__ = ["POLICIES", "Metrics", "Operations", "PolicyRule", "metrics_service", "operations_service"]


def operations_service(operations: Operations) -> Service:
    """The service at `/kilonova`."""
    return Service("kilonova", mount="/kilonova", prefix="/v1", style=COMPUTE, routes=bind(ROUTES, operations))


def metrics_service(metrics: Metrics) -> Service:
    """Prometheus' page."""
    return Service(
        "metrics", mount="/metrics", prefix="", style=COMPUTE, routes=(), root_routes=bind(METRICS_ROUTES, metrics)
    )
