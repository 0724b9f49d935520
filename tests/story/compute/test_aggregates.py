"""Aggregates through the API: they name zones, carry facts, have images fetched; and are refused where servers would be moved."""

from __future__ import annotations

from typing import Any

from kilonova.rpc.messages import CacheImage, FleetChanged, Message, Ok
from kilonova.store.queries import aggregates, hosts
from tests.fakes.auth import ADMIN
from tests.fakes.images import TINY
from tests.story.compute.cloud import HOST, Cloud

OTHER = "openstack-node-02"


def make(cloud: Cloud, name: str, zone: str | None = None) -> int:
    sent = {"name": name} if zone is None else {"name": name, "availability_zone": zone}
    return int(cloud.call("POST", "/os-aggregates", {"aggregate": sent}, token=ADMIN, status=200)["aggregate"]["id"])


def act(cloud: Cloud, number: int, action: dict[str, Any], status: int = 200) -> Any:
    answer = cloud.call("POST", f"/os-aggregates/{number}/action", action, token=ADMIN, status=status)
    return answer["aggregate"] if status == 200 else next(iter(answer.values()))["message"]


def zone_of(cloud: Cloud, name: str) -> str:
    with cloud.database.read() as tx:
        found = hosts.by_name(tx, name)
    assert found is not None
    return found.zone


def test_a_host_is_in_the_zone_of_its_aggregate_and_schedulers_hear_of_it(cloud: Cloud) -> None:
    heard: list[Message] = []
    cloud.bus.serve("scheduler", lambda message: heard.append(message) or Ok(), workers=0)
    cloud.add_host(OTHER)
    number = make(cloud, "rack-1", "north")
    shown = act(cloud, number, {"add_host": {"host": OTHER}})
    assert (shown["hosts"], shown["metadata"], zone_of(cloud, OTHER)) == (
        [OTHER],
        {"availability_zone": "north"},
        "north",
    )
    assert any(isinstance(one, FleetChanged) for one in heard)
    listed = cloud.call("GET", "/os-availability-zone", status=200)["availabilityZoneInfo"]
    assert "north" in [one["zoneName"] for one in listed]
    cloud.call(
        "PUT",
        f"/os-aggregates/{number}",
        {"aggregate": {"availability_zone": "south", "name": " rack-2 "}},
        token=ADMIN,
        status=200,
    )
    assert zone_of(cloud, OTHER) == "south"
    act(cloud, number, {"set_metadata": {"metadata": {"availability_zone": None, "ssd": "true"}}})
    assert zone_of(cloud, OTHER) == "nova"
    with cloud.database.read() as tx:
        assert [(one.name, one.metadata) for one in aggregates.every(tx)] == [("rack-2", {"ssd": "true"})]
    act(cloud, number, {"remove_host": {"host": OTHER}})
    cloud.call("DELETE", f"/os-aggregates/{number}", token=ADMIN, status=200)
    assert cloud.call("GET", f"/os-aggregates/{number}", token=ADMIN).status_code == 404


def test_a_host_with_servers_keeps_its_zone(cloud: Cloud) -> None:
    cloud.boot()
    away, same = make(cloud, "away", "elsewhere"), make(cloud, "same", "us-west")
    assert "has servers" in act(cloud, away, {"add_host": {"host": HOST}}, 409)
    assert zone_of(cloud, HOST) == "us-west"
    assert act(cloud, same, {"add_host": {"host": HOST}})["hosts"] == [HOST]
    assert "has servers" in act(cloud, same, {"set_metadata": {"metadata": {"availability_zone": "x"}}}, 400)
    assert "has servers" in act(cloud, same, {"remove_host": {"host": HOST}}, 409)
    assert "two availability zones" in act(cloud, away, {"add_host": {"host": HOST}}, 409)
    refused = cloud.call("PUT", f"/os-aggregates/{same}", {"aggregate": {"availability_zone": None}}, token=ADMIN)
    assert refused.status_code == 400
    assert zone_of(cloud, HOST) == "us-west"


def test_what_is_wrong_is_said(cloud: Cloud) -> None:
    number = make(cloud, "one")
    assert cloud.call("POST", "/os-aggregates", {"aggregate": {"name": "one"}}, token=ADMIN).status_code == 409
    assert "could not be found" in act(cloud, number, {"add_host": {"host": "nowhere"}}, 404)
    assert "could not be found" in act(cloud, number, {"remove_host": {"host": HOST}}, 404)
    act(cloud, number, {"add_host": {"host": HOST}})
    assert "already has host" in act(cloud, number, {"add_host": {"host": HOST}}, 409)
    assert "not empty" in cloud.call("DELETE", f"/os-aggregates/{number}", token=ADMIN).text
    assert "':'" in act(cloud, number, {"set_metadata": {"metadata": {"availability_zone": "a:b"}}}, 400)
    assert cloud.call("GET", "/os-aggregates/99999999999", token=ADMIN).status_code == 404
    assert cloud.call("GET", "/os-aggregates/one", token=ADMIN).status_code == 400
    assert cloud.call("PUT", f"/os-aggregates/{number}", {"aggregate": {}}, token=ADMIN).status_code == 400


def test_images_are_fetched_by_the_hosts_of_an_aggregate(cloud: Cloud) -> None:
    heard: list[Message] = []
    cloud.bus.serve(f"agent.{HOST}", lambda message: heard.append(message) or Ok(), workers=0)
    number = make(cloud, "cached")
    act(cloud, number, {"add_host": {"host": HOST}})
    path, once = f"/os-aggregates/{number}/images", {"cache": [{"id": TINY}]}
    cloud.call("POST", path, once, token=ADMIN, version="2.81", status=202)
    assert [one.image.id for one in heard if isinstance(one, CacheImage)] == [TINY]
    for wrong in ({"cache": [{"id": TINY}] * 2}, {"cache": [{"id": TINY.replace("7", "8")}]}, {"cache": []}):
        assert cloud.call("POST", path, wrong, token=ADMIN, version="2.81").status_code == 400
