"""Network v2.0 as one service of the rim: its tables, each bound to its object."""

from __future__ import annotations

from kilonova.api.framework import NETWORK, Service, bind
from kilonova.api.network import (
    absent,
    availability,
    discovery,
    networks,
    ports,
    quotas,
    security_group_rules,
    security_groups,
    subnets,
    tags,
)
from kilonova.network.changes import Changes
from kilonova.network.networks import Networks, NetworkSettings
from kilonova.network.ports import Ports
from kilonova.network.security_groups import SecurityGroups
from kilonova.network.subnets import Subnets
from kilonova.network.tags import Tags
from kilonova.runtime import Runtime


def network_service(
    runtime: Runtime, changes: Changes, settings: NetworkSettings, *, mount: str = "/networking"
) -> Service:
    """The service; its policies are `policies.POLICIES`."""
    database, groups, its_tags = runtime.db, SecurityGroups(runtime, changes), Tags(runtime)
    first = discovery.Discovery()
    return Service(
        "network", mount=mount, prefix="/v2.0", style=NETWORK, root_routes=bind(discovery.ROOT_ROUTES, first),
        routes=[
            *bind(discovery.ROUTES, first),
            *bind(networks.ROUTES, networks.NetworkResource(database, Networks(runtime, changes, settings))),
            *bind(subnets.ROUTES, subnets.SubnetResource(database, Subnets(runtime, changes, settings.reserved))),
            *bind(ports.ROUTES, ports.PortResource(database, Ports(runtime, changes))),
            *bind(security_groups.ROUTES, security_groups.GroupResource(database, groups)),
            *bind(security_group_rules.ROUTES, security_group_rules.RuleResource(database, groups)),
            *(route for kind, table in tags.ROUTES.items() for route in bind(table, tags.TagResource(kind, its_tags))),
            *bind(quotas.ROUTES, quotas.QuotaResource(database)),
            *bind(availability.ROUTES, availability.AvailabilityResource(database)),
            *absent.ROUTES,
        ],
    )  # fmt: skip
