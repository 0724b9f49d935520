"""Limits of networks and of servers are kept in one table, and neither service minds the other's."""

from __future__ import annotations

from tests.story.hostile.world import World


def test_limits_of_networks_are_none_of_the_compute_services(cloud: World) -> None:
    way, networks = f"compute /os-quota-sets/{cloud.a.project_id}", f"network /quotas/{cloud.a.project_id}"
    cloud.admin.ok("PUT", networks, {"quota": {"network": 7, "port": 9}})
    for path in (way, f"{way}/detail", f"{way}?user_id={cloud.a.user_id}", "compute /limits"):
        cloud.a.ok("GET", path)
    cloud.admin.ok("PUT", way, {"quota_set": {"instances": 3}})
    cloud.admin.ok("DELETE", way)
    assert cloud.a.ok("GET", way)["quota_set"]["instances"] == 10
    assert cloud.admin.ok("GET", networks)["quota"]["network"] == 7


def test_default_limits_do_not_tell_which_projects_there_are(cloud: World) -> None:
    told = {
        cloud.b.send("GET", f"compute /os-quota-sets/{ident}/defaults").text.replace(ident, "ID")
        for ident in (cloud.a.project_id, "0" * 32)
    }
    assert len(told) == 1
    cloud.admin.refused(400, "GET", f"compute /os-quota-sets/{'0' * 32}/defaults")
