"""What the Network API has and this cloud has not: in words, and announced nowhere."""

from __future__ import annotations

import pytest

from kilonova.api.framework import Route
from kilonova.api.network import absent
from kilonova.api.network.extensions import EXTENSIONS
from tests.story.network.conftest import Cloud


@pytest.mark.parametrize("route", absent.ROUTES, ids=lambda route: route.label.replace("/", "|"))
def test_a_collection_that_is_not_here_says_so(cloud: Cloud, route: Route) -> None:
    path = route.path.replace("{id}", "11111111-2222-4333-8444-555555555555")
    cloud.nobody(route.method, path, {}, expect=401)
    kind, message = cloud.p1.refused(route.method, path, {}, expect=404)
    assert kind == "HTTPNotFound"
    assert "could not be found" not in message
    assert len(message.split()) > 5


def test_no_extension_of_theirs_is_listed() -> None:
    away = {
        "router", "dvr", "ext-gw-mode", "extraroute", "l3-ha", "l3-flavors", "qos", "subnet_allocation", "address-scope",
        "rbac-policies", "trunk", "agent", "segment", "address-group", "fip-port-details", "floating-ip-port-forwarding",
    }  # fmt: skip
    assert set(EXTENSIONS) & away == set()
