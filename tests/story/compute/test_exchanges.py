"""
Every recorded exchange of a route that is served: the same request is sent in the same microversion, and the answer must have
the same status and the same shape, key by key and type by type. Values are this cloud's own.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests import facts
from tests.story.compute import shapes
from tests.story.compute.cloud import Cloud

# What these exchanges need is served by a later part of the product, or by another service.
VOLUMES = "servers on volumes need the block storage service"
PERSONALITY = "the documented body has a personality, which left with 2.57"
OTHER_VALUES = "a refusal of values that the documented body does not show"
NOT_HERE = {
    "v2.32/server-create-req": VOLUMES,
    "v2.37/server-create-req": VOLUMES,
    "v2.42/server-create-req": VOLUMES,
    "v2.67/server-create-req": VOLUMES,
    "v2.90/server-create-req": PERSONALITY,
    "v2.94/server-create-req": PERSONALITY,
    "v2.69/": "a cloud with an unreachable cell: there are no cells here",
    "down-cell": "a cloud with an unreachable cell: there are no cells here",
    "os-quota-sets-noop": "the no-op quota driver is not part of this cloud",
    "resp-rescue": "rescue is a later part of the product",
    "400 os-keypairs/": OTHER_VALUES,
}  # fmt: skip
SERVED = {
    (row["method"], row["path"], row["action"])
    for row in facts.routes()
    if row["lifecycle"] != "gone_410" and shapes.is_served(row["method"], row["path"], row["action"])
}


def _exchanges() -> list[Any]:
    found = []
    for one in facts.exchanges():
        method, _, rest = one["route"].partition(" ")
        path, _, action = rest.partition(" (")
        if (method, path, action.rstrip(")") or None) in SERVED:
            name = "-".join(
                (one["route"], one["microversion"], str(one["request_sample"] or one["response_sample"] or one["url"]))
            )
            found.append(pytest.param(one, id=name))
    return found


@pytest.mark.parametrize("exchange", _exchanges())
def test_an_exchange_has_the_recorded_status_and_shape(cloud: Cloud, exchange: dict[str, Any]) -> None:
    for part, reason in NOT_HERE.items():
        if part in f"{exchange['status']} {exchange['request_sample']} {exchange['response_sample']}":
            pytest.skip(reason)
    world = shapes.World(cloud)
    method = exchange["route"].split(" ", 1)[0]
    body = None if exchange["request_sample"] is None else world.body(exchange)
    response = cloud.call(
        method, world.url(exchange), body, token=world.token(exchange), version=exchange["microversion"]
    )
    assert response.status_code == exchange["status"], response.text
    if exchange["response_sample"]:
        expected = facts.sample("compute", exchange["response_sample"])
        assert shapes.differences(expected, response.json(), exchange["route"]) == []
