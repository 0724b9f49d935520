"""Boot, list and delete through the API on both engines, and many at once: neither quota nor numbers are given twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from kilonova.store.database import Database
from kilonova.store.queries import quotas
from tests.fakes.auth import ADMIN, PROJECT_A
from tests.story.compute.cloud import Cloud


@pytest.fixture
def cloud(database: Database) -> Iterator[Cloud]:
    with Cloud(database) as made:
        yield made


def test_a_servers_life(cloud: Cloud) -> None:
    ident = cloud.boot("web-1", metadata={"a": "b"}, tags=["t"])
    query = "status=ACTIVE&name=^web-[0-9]&tags=t&ip=10.0&flavor=1&sort_key=vm_state&sort_key=locked"
    (found,) = cloud.call("GET", f"/servers/detail?{query}", version="2.104", status=200)["servers"]
    assert (found["id"], list(found["addresses"]), found["security_groups"]) == (
        ident,
        ["private"],
        [{"name": "default"}],
    )
    cloud.call("POST", f"/servers/{ident}/action", {"lock": None}, status=202)
    cloud.call("POST", f"/servers/{ident}/action", {"unlock": None}, status=202)
    for path in ("ips", "os-security-groups", "metadata", "os-instance-actions"):
        assert cloud.call("GET", f"/servers/{ident}/{path}", status=200)
    for path in (
        "/os-hypervisors/detail?with_servers=1",
        "/os-hypervisors?limit=1",
        "/os-services",
        "/os-availability-zone/detail",
    ):
        assert cloud.call("GET", path, token=ADMIN, version="2.60", status=200)
    told = cloud.call("GET", f"/servers/{ident}/os-instance-actions?limit=2", version="2.66", status=200)
    assert ([one["action"] for one in told["instanceActions"]], "links" in told) == (["unlock", "lock"], True)
    cloud.call("DELETE", f"/servers/{ident}", status=204)
    cloud.forget(ident)
    assert cloud.call("GET", "/limits", status=200)["limits"]["absolute"]["totalInstancesUsed"] == 0


def test_many_boots_at_once_stay_within_the_quota_and_have_numbers_of_their_own(cloud: Cloud) -> None:
    with cloud.database.write() as tx:
        quotas.set_limits(tx, PROJECT_A, {"instances": 5})
    sent = {"server": {"name": "one", "flavorRef": "1", "imageRef": next(iter(cloud.images.known)), "networks": "auto"}}
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: cloud.call("POST", "/servers", sent, version="2.60").status_code, range(12)))
    assert sorted(statuses) == [202] * 5 + [403] * 7
    shown = cloud.call("GET", "/servers/detail?all_tenants=1", token=ADMIN, status=200)["servers"]
    assert len({one["OS-EXT-SRV-ATTR:instance_name"] for one in shown}) == 5
