"""What this cloud does not do is refused in words (routes, actions, extra specs, image properties) and announced nowhere."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kilonova.api.compute import absent, extensions
from kilonova.api.framework import Route, Version, describe_routes, openapi_document
from kilonova.store.queries import flavors
from tests import facts
from tests.fakes.auth import ADMIN, READER_A
from tests.fakes.images import image
from tests.story.compute.cloud import Cloud

NOBODY_ID = "11111111-2222-4333-8444-555555555555"
ABSENT = absent.ROUTES


def shape(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


def inside(route: Route) -> str:
    return str(route.versions.last or route.versions.first or "2.104")


def ask(cloud: Cloud, route: Route, token: str | None, version: str, server_id: str = NOBODY_ID) -> Any:
    path = re.sub(r"{\w+}", server_id, route.path)
    return cloud.call(route.method, path, {route.action: None} if route.action else None, token=token, version=version)


def test_every_documented_route_is_served_gone_or_absent_with_words(cloud: Cloud) -> None:
    known = {(route.method, shape(route.path), route.action) for route in cloud.service.routes}
    documented = {
        (row["method"], shape(row["path"]), row["action"])
        for row in facts.routes()
        if not row["path"].startswith(("/v2", "/{anything"))
    }
    assert documented - known == set()
    # And an absent one is in the versions that it is documented in.
    spans = {
        (row["method"], shape(row["path"]), row["action"]): (row["min_microversion"] or "2.1", row["max_microversion"])
        for row in facts.routes()
    }
    for route in ABSENT:
        first, last = spans[route.method, shape(route.path), route.action]
        assert (str(route.versions.first or "2.1"), route.versions.last and str(route.versions.last)) == (first, last)


@pytest.mark.parametrize("route", ABSENT, ids=lambda route: route.label.replace("/", "|"))
def test_it_says_so_to_whoever_has_a_token_and_401_to_others(cloud: Cloud, route: Route) -> None:
    version = inside(route)
    assert ask(cloud, route, None, version).status_code == 401
    for token in (READER_A, ADMIN):
        answer = ask(cloud, route, token, version)
        assert answer.status_code == (400 if route.action else 404), answer.text
        message = answer.json()["badRequest" if route.action else "itemNotFound"]["message"]
        assert "could not be found" not in message
        assert "no such action" not in message
        assert len(message.split()) > 5


def test_it_is_the_same_whoever_s_server_it_names(cloud: Cloud) -> None:
    mine = cloud.boot()
    for route in ABSENT:
        if "{server_id}" in route.path:
            theirs = ask(cloud, route, READER_A, inside(route))
            assert ask(cloud, route, READER_A, inside(route), mine).json() == theirs.json()


def test_outside_its_versions_it_is_not_there_at_all(cloud: Cloud) -> None:
    answer = cloud.call("POST", f"/servers/{NOBODY_ID}/action", {"os-getVNCConsole": None}, version="2.6", status=404)
    assert "resource could not be found" in answer["itemNotFound"]["message"]


def test_it_is_announced_nowhere(cloud: Cloud) -> None:
    ways = {(route.method, shape(route.path), route.action) for route in ABSENT}
    rows = {
        (row.method, shape(row.path.removeprefix("/compute/v2.1")), row.action)
        for row in describe_routes([cloud.service])
    }
    assert rows & ways == set()
    for version in ("2.1", "2.104"):
        document = str(openapi_document(cloud.service, Version.parse(version)))
        assert "remote-consoles" not in document
        assert "os-migrateLive" not in document
    unknown = cloud.call("POST", f"/servers/{NOBODY_ID}/action", {"nonsense": None}, status=400)["badRequest"][
        "message"
    ]
    assert "os-getConsoleOutput" in unknown
    assert "migrate" not in unknown


# Aliases that are named otherwise than the path or the action that they stand for.
STAND_FOR = {
    "os-pause-server": "pause", "os-suspend-server": "suspend", "os-server-start-stop": "os-start", "os-rescue": "rescue",
    "os-shelve": "shelve", "os-evacuate": "evacuate", "os-migrate-server": "migrate", "os-create-backup": "createBackup",
    "os-admin-password": "changePassword", "os-attach-interfaces": "os-interface", "os-deferred-delete": "restore",
    "os-server-diagnostics": "diagnostics", "os-consoles": "consoles", "NMN": "addFixedIp", "OS-EXT-IMG-SIZE": "images",
    "os-virtual-interfaces": "os-virtual-interfaces", "os-server-password": "os-server-password",
}  # fmt: skip


def test_extensions_lists_only_what_is_there(cloud: Cloud) -> None:
    listed = {one["alias"] for one in cloud.call("GET", "/extensions", status=200)["extensions"]}
    assert listed == set(extensions._known())
    assert listed & set(STAND_FOR) == set()
    served = [route for route in cloud.service.routes if not route.is_absent and route.status != 410]
    first = {route.path.split("/")[1] for route in served}
    away = {route.path.split("/")[1] for route in cloud.service.routes} - first
    assert "os-volumes" in away
    assert listed & away == set()
    for alias in ("os-volumes", "os-consoles", "os-migrations"):
        cloud.call("GET", f"/extensions/{alias}", status=404)


# --- flavors and images ------------------------------------------------------------------------------------------------

NOT_BUILT = {
    "hw:cpu_policy": "dedicated", "hw:mem_page_size": "large", "pci_passthrough:alias": "gpu:1", "hw:numa_nodes": "2",
    "resources:VGPU": "1", "hw:tpm_version": "2.0", "quota:cpu_limit": "5",
}  # fmt: skip


@pytest.mark.parametrize("version", ["2.1", "2.86", "2.104"])
@pytest.mark.parametrize(("name", "value"), NOT_BUILT.items())
def test_an_extra_spec_that_is_not_built_is_refused_by_name(cloud: Cloud, name: str, value: str, version: str) -> None:
    path = "/flavors/1/os-extra_specs"
    for method, where, body in (
        ("POST", path, {"extra_specs": {name: value}}),
        ("PUT", f"{path}/{name}", {name: value}),
    ):
        said = cloud.call(method, where, body, token=ADMIN, version=version, status=400)["badRequest"]["message"]
        assert f"'{name}'" in said
        assert "not supported by this cloud yet" in said
    assert cloud.call("GET", path, token=ADMIN, status=200) == {"extra_specs": {}}


def test_extra_specs_of_an_operators_own_are_taken(cloud: Cloud) -> None:
    specs = {"extra_specs": {"ssd": "true", "rack:row": "7", "hw:boot_menu": "true", "trait:CUSTOM_FAST": "required"}}
    assert cloud.call("POST", "/flavors/1/os-extra_specs", specs, token=ADMIN, version="2.104", status=200) == specs


def test_a_flavor_that_has_one_already_boots_nothing(cloud: Cloud) -> None:
    with cloud.database.write() as tx:
        flavors.set_specs(tx, "1", {"hw:cpu_policy": "dedicated"}, cloud.clock.now())
    sent = {"server": {"name": "x", "flavorRef": "1", "imageRef": image().id, "networks": "auto"}}
    said = cloud.call("POST", "/servers", sent, version="2.90", status=400)["badRequest"]["message"]
    assert "hw:cpu_policy" in said
    assert "flavor" in said
    assert cloud.call("GET", "/servers", status=200) == {"servers": []}


def test_an_image_that_asks_for_what_is_not_built_boots_nothing(cloud: Cloud) -> None:
    asking = image("5a0e0c1e-0000-4000-8000-000000000001", properties={"hw_tpm_version": "2.0", "os_distro": "debian"})
    cloud.images.known[asking.id] = asking
    sent = {"server": {"name": "x", "flavorRef": "1", "imageRef": asking.id, "networks": "auto"}}
    said = cloud.call("POST", "/servers", sent, version="2.90", status=400)["badRequest"]["message"]
    assert "hw_tpm_version" in said
    assert asking.id in said
