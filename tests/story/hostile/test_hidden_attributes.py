"""What a caller does not see of a thing he cannot find out by searching or sorting for it either."""

from __future__ import annotations

import pytest

from tests.story.hostile.world import World

HIDDEN = [("ports", "binding:host_id", "sim-1"), ("networks", "provider:segmentation_id", "1"),
          ("networks", "provider:network_type", "flat")]  # fmt: skip


@pytest.mark.parametrize(("what", "name", "value"), HIDDEN)
def test_hidden_attributes_are_none(cloud: World, what: str, name: str, value: str) -> None:
    for query in (f"{name}={value}", f"sort_key={name}&sort_dir=asc"):
        told = cloud.a.refused(400, "GET", f"network /{what}?{query}")
        unknown = cloud.a.refused(400, "GET", f"network /{what}?{query.replace(name, 'nonsense')}")
        assert told.replace(name, "nonsense") == unknown
        cloud.admin.ok("GET", f"network /{what}?{query}")
