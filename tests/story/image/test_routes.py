"""What holds for every route, taken from the table; and the documented samples, field by field."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from kilonova.api.framework import Route
from kilonova.api.image import data, images, info, members, schemas
from kilonova.image.service import ImageService
from tests import facts
from tests.fakes.auth import ADMIN, PROJECT_B, UNSCOPED
from tests.imageparts import BASE, active, api, queued

TABLE = [route for part in (images, data, members, info, schemas) for route in part.ROUTES]
WITH_BODY = [route for route in TABLE if route.params is not None]
JUNK = [
    b"", b"{", b"[]", b"null", b"5", b'"x"', b'{"\\u0000": "1"}', b"\xff\xfe", b"[" * 100_000, b"[null]", b"[{}]", b"[[]]",
    b'{"name": {}}', b'{"name": "\\ud800"}', b'{"min_disk": 1e999}', b'{"tags": [null]}', b'{"hw": {"a": 1}}', b'{"id": {}}',
    b'[{"op": {}, "path": []}]', b'[{"op": "add", "path": "/name", "value": {}}]',
    b'[{"op": "add", "path": "/\\u0000", "value": ""}]', b'{"member": null}', b'{"member": {}}', b'{"status": {}}',
    b'{"name": "' + b"x" * (1 << 20) + b'"}',
]  # fmt: skip

# What Glance documents and this service does not have: no bits elsewhere, no caches, no tasks, no metadata definitions,
# one store, and uploads as the only way in.
ABSENT = re.compile(r"/v2/(cache|metadefs|schemas/(metadefs|task)|stores|tasks)|/(import|stage|locations|tasks)$")


def filled(route: Route, value: str = "00000000-0000-4000-8000-000000000000") -> str:
    return "/image/v2" + re.sub(r"{\w+}", value, route.path)


def label(route: Route) -> str:
    return route.label


def test_every_documented_route_is_there_or_known_to_be_absent() -> None:
    ours = {re.sub(r"{\w+}", "{}", f"{route.method} /v2{route.path}") for route in TABLE} | {"GET /", "GET /versions"}
    wanted = {route for route in facts.documented_routes("image") if not ABSENT.search(route)}
    assert {re.sub(r"{\w+}", "{}", route) for route in wanted} <= ours


@pytest.mark.parametrize("route", TABLE, ids=label)
def test_without_a_token_there_is_nothing(mine: TestClient, route: Route) -> None:
    del mine.headers["X-Auth-Token"]
    assert mine.request(route.method, filled(route)).status_code == 401


@pytest.mark.parametrize("route", [route for route in TABLE if route.policy], ids=label)
def test_who_has_no_project_has_no_images(service: ImageService, route: Route) -> None:
    bodies = {
        "POST /images": b"{}",
        "PATCH /images/{image_id}": b"[]",
        "POST /images/{image_id}/members": b'{"member": "x"}',
    }
    with api(service, UNSCOPED) as nobody:
        media = {"Content-Type": route.media[0]}
        content = bodies.get(route.label, b'{"status": "accepted"}' if route.params else b"")
        assert nobody.request(route.method, filled(route), content=content, headers=media).status_code in (403, 404)


@pytest.mark.parametrize("route", WITH_BODY, ids=label)
def test_junk_is_refused_and_never_our_fault(mine: TestClient, route: Route) -> None:
    path = filled(route, queued(mine))
    before = mine.get(BASE).json()
    for junk in JUNK:
        reply = mine.request(route.method, path, content=junk, headers={"Content-Type": route.media[0]})
        harmless = reply.status_code in (200, 201) and junk in (b"[]", b"{}")
        assert harmless or reply.status_code in (400, 403, 404, 413), (junk[:60], reply.status_code, reply.text)
    assert mine.get(BASE).json() == before


@pytest.mark.parametrize("route", TABLE, ids=label)
def test_ids_are_not_paths_and_not_sql(service: ImageService, route: Route) -> None:
    if "{" not in route.path:
        return
    body = {"json": {"member": "x", "status": "accepted"}} if route.params else {}
    with api(service, ADMIN) as admin:
        for ident in ("..%2f..%2fetc", "%00", "x' OR 1=1--", "%ff", "x" * 5000, "%F0%9F%92%A3"):
            assert admin.request(route.method, filled(route, ident), **body).status_code in (400, 404, 414, 415)  # type: ignore[arg-type]


def keys(sample: str) -> set[str]:
    return set(facts.sample("image", f"{sample}.json"))


def test_images_have_the_documented_fields(mine: TestClient) -> None:
    made = mine.post(BASE, json={"name": "Ubuntu", "disk_format": "raw", "container_format": "bare"})
    assert keys("image-create-response") - {"locations"} <= set(made.json())
    shown = mine.get(f"{BASE}/{active(mine)}").json()
    assert keys("image-show-response") | keys("image-update-response") <= set(shown)
    page = mine.get(BASE).json()
    assert keys("images-list-response") <= set(page)
    assert set(facts.sample("image", "images-list-response.json")["images"][0]) <= set(page["images"][0])


def test_the_documented_requests_are_understood(mine: TestClient) -> None:
    sent: dict[str, Any] = facts.sample("image", "image-create-request.json")
    made = mine.post(BASE, json=sent)
    assert made.status_code == 201, made.text
    change = facts.sample("image", "image-update-request.json")
    media = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    changed = mine.patch(f"{BASE}/{made.json()['id']}", json=change, headers=media).json()
    assert (changed["name"], changed["tags"]) == ("Fedora 17", ["beefy", "fedora"])


def test_members_have_the_documented_fields(mine: TestClient, theirs: TestClient) -> None:
    url = f"{BASE}/{queued(mine)}/members"
    assert keys("image-member-create-request") == {"member"}
    assert set(mine.post(url, json={"member": PROJECT_B}).json()) == keys("image-member-create-response")
    assert set(mine.get(url).json()) == keys("image-members-list-response")
    assert set(mine.get(f"{url}/{PROJECT_B}").json()) == keys("image-member-details-response")
    answer = facts.sample("image", "image-member-update-request.json")
    assert set(theirs.put(f"{url}/{PROJECT_B}", json=answer).json()) == keys("image-member-update-response")


@pytest.mark.parametrize(
    ("path", "sample", "absent"),
    [
        ("image", "schemas-image-show-response", {"direct_url", "locations"}),
        ("images", "schemas-images-list-response", set()),
        ("member", "schemas-image-member-show-response", set()),
        ("members", "schemas-image-members-list-response", set()),
    ],
)
def test_schemas_have_the_documented_properties(mine: TestClient, path: str, sample: str, absent: set[str]) -> None:
    wanted, found = facts.sample("image", f"{sample}.json"), mine.get(f"/image/v2/schemas/{path}").json()
    assert found["name"] == wanted["name"]
    assert set(wanted["properties"]) - absent <= set(found["properties"])


def test_a_schema_knows_every_attribute_there_is(mine: TestClient) -> None:
    shown = mine.get(f"{BASE}/{active(mine)}").json()
    assert set(shown) <= set(mine.get("/image/v2/schemas/image").json()["properties"])


def test_information_has_the_documented_fields(mine: TestClient, admin: TestClient) -> None:
    def get(path: str) -> Any:
        return admin.get(f"/image/v2/info/{path}").json()

    assert set(get("import")) == keys("image-info-import-response")
    assert set(get("stores")["stores"][0]) == {"id", "description", "default"}
    assert set(facts.sample("image", "stores-list-detail-response.json")["stores"][0]) == set(
        get("stores/detail")["stores"][0]
    )
    documented = set(facts.sample("image", "usage-response.json")["usage"])
    assert documented - set(get("usage")["usage"]) == {"image_stage_total"}
