"""Junk at every door: refused with a reason, never a bug."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from kilonova.api.framework import Route
from kilonova.api.framework.schema import fields_of
from kilonova.api.network import (
    availability,
    discovery,
    networks,
    port_shapes,
    ports,
    quotas,
    security_group_rules,
    security_groups,
    subnets,
    tags,
)
from tests.story.network.conftest import Cloud

TABLES = (
    *discovery.ROUTES, *networks.ROUTES, *subnets.ROUTES, *ports.ROUTES, *security_groups.ROUTES, *security_group_rules.ROUTES,
    *quotas.ROUTES, *availability.ROUTES, *(route for table in tags.ROUTES.values() for route in table),
)  # fmt: skip
VALUES = (None, [], {}, [{}], 0, -1, 1e300, 2**70, True, "", "x" * 300, "\ud83d", "' OR 1=1 --", {"a": {"b": []}})
SCALARS = ("network_id", "name", "mtu", "cidr", "ip_version", "port_range_min", "protocol", "direction", "security_group_id",
           "fixed_ips", "tags", "allowed_address_pairs", "extra_dhcp_opts", "allocation_pools", "host_routes", "gateway_ip",
           "binding:profile", "mac_address", "device_owner", "port", "remote_ip_prefix", "tenant_id")  # fmt: skip


def bodies(route: Route) -> Iterator[object]:
    """Wrong documents, wrong envelopes, and each attribute with every kind of value."""
    yield from VALUES
    name = route.path.strip("/").split("/")[0].replace("-", "_").removesuffix("s")
    key = route.params_key or name
    for value in VALUES:
        yield {key: value}
        yield {f"{key}s": value}
        yield from ({key: {field: value}} for field in SCALARS)


def send(http: TestClient, route: Route, body: object | None) -> int:
    path = re.sub(r"{\w+}", "11111111-2222-4333-8444-555555555555", route.path)
    # Written with escapes, as half a surrogate pair has no bytes of its own.
    content = json.dumps(body)
    headers = {"Content-Type": "application/json"}
    reply = http.request(route.method, f"/networking/v2.0{path}", content=content, headers=headers)
    if reply.status_code >= 400:
        assert set(reply.json()["NeutronError"]) == {"type", "message", "detail"}
    return reply.status_code


@pytest.mark.parametrize("route", [one for one in TABLES if one.params is not None], ids=lambda one: one.label)
def test_junk_bodies_are_refused(cloud: Cloud, route: Route) -> None:
    seen = {send(cloud.admin.http, route, body) for body in bodies(route)}
    assert seen <= {200, 201, 400, 403, 404, 409}
    assert 400 in seen


@pytest.mark.parametrize("route", [one for one in TABLES if one.auth], ids=lambda one: one.label)
def test_who_is_nobody_learns_nothing(cloud: Cloud, route: Route) -> None:
    assert send(cloud.nobody.http, route, None) == 401


@pytest.mark.parametrize(
    "route", [one for one in TABLES if "{" in one.path and one.method != "PUT"], ids=lambda one: one.label
)
def test_what_is_not_there_is_not_found(cloud: Cloud, route: Route) -> None:
    if not route.path.startswith("/quotas"):
        assert send(cloud.admin.http, route, {"tags": []} if route.params else None) == 404


@pytest.mark.parametrize(
    "query", ["%00=1", "name=%00", "name=%FF", "marker=%27", "limit=99999999999999999999", "id=" + "x" * 5000]
)
def test_junk_queries_are_no_bugs(cloud: Cloud, query: str) -> None:
    for path in ("networks", "subnets", "ports", "security-groups", "security-group-rules"):
        reply = cloud.p1.http.get(f"/networking/v2.0/{path}?{query}")
        assert reply.status_code in (200, 400), reply.text


@pytest.mark.parametrize("kind", ["network", "subnet", "port", "security_group_rule"])
def test_junk_in_a_sound_body_is_no_bug(cloud: Cloud, kind: str) -> None:
    network, group = cloud.admin.make("network"), cloud.admin.make("security_group", name="web")
    cloud.admin("PUT", "/quotas/padmin", {"quota": {"network": -1, "port": -1, "security_group_rule": -1}}, expect=200)
    if kind != "subnet":
        cloud.admin.make("subnet", network_id=network["id"], cidr="10.0.0.0/16", ip_version=4)
    sound = {
        "network": {},
        "subnet": {"network_id": network["id"], "cidr": "10.0.0.0/16", "ip_version": 4},
        "port": {"network_id": network["id"]},
        "security_group_rule": {"security_group_id": group["id"], "direction": "ingress", "protocol": "tcp"},
    }[kind]
    params = {"network": networks.NetworkParams, "subnet": subnets.SubnetParams, "port": port_shapes.PortParams,
              "security_group_rule": security_group_rules.RuleParams}[kind]  # fmt: skip
    for spec in fields_of(params):
        for value in (
            *VALUES,
            ["x"],
            [{"start": "10.0.0.9", "end": "fd00::1"}],
            "10.0.0.0/0",
            "::ffff:10.0.0.1",
            "10.0.0.9",
        ):
            body = json.dumps({kind: sound | {spec.name: value}})
            reply = cloud.admin.http.post(f"/networking/v2.0/{kind.replace('_', '-')}s", content=body)
            assert reply.status_code in (201, 400, 403, 404, 409), (spec.name, value, reply.text)
