"""Placement as one service of the rim: its tables, each bound to its object."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import PLACEMENT, Microversions, Query, Request, Route, Service, bind
from kilonova.api.placement import allocations, candidates, catalogue, holdings, providers
from kilonova.compute.aggregates import Aggregates
from kilonova.compute.neighbours import Images
from kilonova.compute.providers import Providers
from kilonova.runtime import Runtime

FIRST, LAST = "1.0", "1.39"


def versions(_req: Request[None, Query]) -> dict[str, Any]:
    """The one version there is, for everybody."""
    links = [{"rel": "self", "href": ""}]
    return {
        "versions": [{"id": "v1.0", "min_version": FIRST, "max_version": LAST, "status": "CURRENT", "links": links}]
    }


def placement_service(runtime: Runtime, images: Images) -> Service:
    """The Placement service at `/placement`; its policies are `policies.POLICIES`."""
    of_hosts = Aggregates(runtime, images=images)
    use_cases = Providers(runtime, aggregates=of_hosts)
    return Service(
        "placement", mount="/placement", prefix="", style=PLACEMENT,
        microversions=Microversions("placement", FIRST, LAST),
        routes=[
            Route("GET", "/", versions, auth=False, summary="Show the version"),
            *bind(providers.ROUTES, providers.ResourceProviders(runtime, use_cases=use_cases)),
            *bind(holdings.ROUTES, holdings.Holdings(runtime, use_cases=use_cases)),
            *bind(catalogue.ROUTES, catalogue.Catalogue(runtime, use_cases=use_cases)),
            *bind(allocations.ROUTES, allocations.Allocations(runtime)),
            *bind(candidates.ROUTES, candidates.Candidates(runtime)),
        ],
    )  # fmt: skip
