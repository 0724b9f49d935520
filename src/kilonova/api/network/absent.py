"""What the Network API knows and this cloud does not do: each collection answers with why, and none is shown in discovery."""

from __future__ import annotations

from collections.abc import Iterator

from kilonova.api.framework import Route, absent

# Collections by what is said of them.
_WHY = {
    "This cloud has no floating IPs yet.": ("floatingips",),
    "This cloud has no routers of its tenants' own yet: networks with a gateway reach the outside by their hosts.": ("routers",),
    "This cloud has no quality of service yet.": ("qos/policies", "qos/rule-types"),
    "This cloud has no subnet pools yet: say a subnet's cidr.": ("subnetpools", "address-scopes"),
    "Networks are shared with every project or with none here: set `shared`, as an administrator.": ("rbac-policies",),
    "This cloud has no trunk ports yet.": ("trunks",),
    "Hosts are shown by the compute service here (/os-hypervisors).": ("agents",),
    "A network is one segment here.": ("segments",),
    "This cloud has no address groups yet.": ("address-groups",),
}  # fmt: skip
_OF_ROUTERS = ("add_router_interface", "remove_router_interface", "add_extraroutes", "remove_extraroutes")


def _ways(collection: str) -> Iterator[str]:
    yield from (f"{method} /{collection}" for method in ("GET", "POST"))
    yield from (f"{method} /{collection}/{{id}}" for method in ("GET", "PUT", "DELETE"))
    if collection == "routers":
        yield from (f"PUT /routers/{{id}}/{verb}" for verb in _OF_ROUTERS)


ROUTES: list[Route] = [
    route for why, collections in _WHY.items() for name in collections for route in absent(why, *_ways(name))
]
