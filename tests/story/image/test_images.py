"""Records over HTTP."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.fakes.auth import ADMIN_PROJECT, PROJECT_A, PROJECT_B
from tests.imageparts import BASE, active, queued

V21 = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
V20 = {"Content-Type": "application/openstack-images-v2.0-json-patch"}


def patch(api: TestClient, ident: str, *ops: dict[str, Any], headers: dict[str, str] | None = None) -> Any:
    return api.patch(f"{BASE}/{ident}", content=json.dumps(ops), headers=headers or V21)


def setting(name: str, value: Any) -> dict[str, Any]:
    return {"op": "add", "path": f"/{name}", "value": value}


def names(api: TestClient, query: str = "") -> list[str]:
    reply = api.get(f"{BASE}{query}")
    assert reply.status_code == 200, reply.text
    return [one["name"] for one in reply.json()["images"]]


def message(reply: Any) -> str:
    """The text where clients look for it."""
    (error,) = reply.json().values()
    return str(error["message"])


def test_a_new_image_has_all_attributes_and_keeps_its_properties(mine: TestClient) -> None:
    ident = str(uuid.uuid4())
    sent = {
        "id": ident.upper(), "name": "x", "disk_format": "qcow2", "container_format": "bare", "visibility": "private",
        "protected": True, "os_hidden": True, "min_disk": 3, "min_ram": 4, "tags": ["b", "a", "b"], "hw_disk_bus": "scsi",
        "os_distro": "debian",
    }  # fmt: skip
    reply = mine.post(BASE, json=sent)
    assert reply.status_code == 201
    assert reply.headers["Location"].endswith(f"/v2/images/{ident}")
    shown = reply.json()
    assert shown == mine.get(f"{BASE}/{ident}").json()
    assert {name: shown[name] for name in sent} == {**sent, "id": ident, "tags": ["a", "b"]}
    assert (shown["owner"], shown["status"], shown["size"]) == (PROJECT_A, "queued", None)
    assert shown["file"] == f"/v2/images/{ident}/file"
    assert mine.post(BASE, json={"id": ident}).status_code == 409


def test_an_image_needs_to_say_nothing(mine: TestClient) -> None:
    shown = mine.post(BASE, json={}).json()
    assert (shown["visibility"], shown["name"], shown["disk_format"], shown["min_disk"]) == ("shared", None, None, 0)


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        ({"disk_format": "vmdk"}, 400, "raw, qcow2, iso"),
        ({"container_format": "ova"}, 400, "bare, ami"),
        ({"visibility": "secret"}, 400, "public"),
        ({"name": "x" * 256}, 400, "name"),
        ({"min_disk": -1}, 400, "min_disk"),
        ({"min_ram": 2**31}, 400, "min_ram"),
        ({"min_ram": "5"}, 400, "min_ram"),
        ({"protected": "yes"}, 400, "protected"),
        ({"id": "not a uuid"}, 400, "id"),
        ({"tags": ["x" * 256]}, 400, "tags"),
        ({"tags": "x"}, 400, "tags"),
        ({"hw_x": 5}, 400, "hw_x"),
        ({"hw_x": None}, 400, "hw_x"),
        ({"x" * 256: ""}, 400, ""),
        ({"status": "active"}, 403, "read-only"),
        ({"checksum": "x"}, 403, "read-only"),
        ({"locations": "x"}, 403, "reserved"),
        ({"visibility": "public"}, 403, "publicize_image"),
        ({"owner": PROJECT_B}, 403, "add_image"),
        ({f"p{i}": "" for i in range(129)}, 413, "image properties"),
        ({"tags": [f"t{i}" for i in range(129)]}, 413, "image tags"),
    ],
)
def test_a_new_image_that_cannot_be(mine: TestClient, sent: dict[str, Any], status: int, told: str) -> None:
    reply = mine.post(BASE, json=sent)
    assert (reply.status_code, told in message(reply)) == (status, True), reply.text
    assert names(mine) == []


def test_readers_read(mine: TestClient, reader: TestClient) -> None:
    ident = active(mine)
    assert reader.post(BASE, json={}).status_code == 403
    assert reader.get(f"{BASE}/{ident}").status_code == 200
    assert reader.get(f"{BASE}/{ident}/file").status_code == 403
    assert reader.delete(f"{BASE}/{ident}").status_code == 403
    assert patch(reader, ident, setting("name", "y")).status_code == 403


def test_strangers_learn_nothing(mine: TestClient, theirs: TestClient) -> None:
    ident = active(mine)
    nowhere = str(uuid.uuid4())
    for method, below in (
        ("GET", ""), ("DELETE", ""), ("GET", "/file"), ("GET", "/members"), ("PUT", "/tags/x"), ("DELETE", "/tags/x"),
        ("POST", "/actions/deactivate"), ("GET", f"/members/{PROJECT_B}"),
    ):  # fmt: skip
        found, missing = (theirs.request(method, f"{BASE}/{one}{below}") for one in (ident, nowhere))
        assert (found.status_code, missing.status_code) == (404, 404)
        assert message(found).replace(ident, "") == message(missing).replace(nowhere, "")
    assert patch(theirs, ident, setting("name", "x")).status_code == 404
    assert (
        theirs.put(
            f"{BASE}/{ident}/file", content=b"x", headers={"Content-Type": "application/octet-stream"}
        ).status_code
        == 404
    )


def test_a_public_image_is_everybodys_to_use_and_its_owners_to_change(admin: TestClient, theirs: TestClient) -> None:
    ident = active(admin, b"everybody's", visibility="public")
    assert theirs.get(f"{BASE}/{ident}/file").content == b"everybody's"
    assert theirs.delete(f"{BASE}/{ident}").status_code == 403
    assert patch(theirs, ident, setting("name", "x")).status_code == 403
    assert theirs.post(f"{BASE}/{ident}/actions/deactivate").status_code == 403


def test_an_admin_gives_an_image_away(mine: TestClient, admin: TestClient) -> None:
    ident = queued(mine)
    refused = patch(mine, ident, setting("owner", PROJECT_B))
    assert (refused.status_code, "admin" in message(refused)) == (403, True)
    assert patch(admin, ident, setting("owner", PROJECT_B)).json()["owner"] == PROJECT_B
    assert mine.get(f"{BASE}/{ident}").status_code == 404
    assert admin.post(BASE, json={"owner": PROJECT_A}).json()["owner"] == PROJECT_A
    assert admin.post(BASE, json={}).json()["owner"] == ADMIN_PROJECT


def test_changes_in_both_dialects(mine: TestClient) -> None:
    ident = queued(mine, hw_old="1")
    changed = patch(
        mine, ident, setting("name", "y"), setting("tags", ["q"]), setting("hw_new", "2"), {"op": "remove", "path": "/hw_old"},
        setting("protected", value=True), {"op": "replace", "path": "/min_disk", "value": 7}, setting("disk_format", "iso"),
    ).json()  # fmt: skip
    assert changed == mine.get(f"{BASE}/{ident}").json()
    assert (changed["name"], changed["tags"], changed["hw_new"], changed["protected"]) == ("y", ["q"], "2", True)
    assert (changed["min_disk"], changed["disk_format"], "hw_old" in changed) == (7, "iso", False)
    assert patch(mine, ident, {"replace": "/name", "value": None}, headers=V20).json()["name"] is None


@pytest.mark.parametrize(
    ("op", "status"),
    [
        (setting("name", 5), 400),
        (setting("disk_format", "vhd"), 400),
        (setting("hw_x", 5), 400),
        (setting("size", 5), 403),
        (setting("visibility", "public"), 403),
        ({"op": "replace", "path": "/hw_x", "value": "1"}, 409),
        ({"op": "remove", "path": "/name"}, 403),
        ({"op": "test", "path": "/name", "value": "n"}, 400),
        ({"op": "add", "path": "/a/b", "value": "n"}, 400),
        ({"colour": "red"}, 400),
    ],
)
def test_a_change_that_cannot_be_changes_nothing(mine: TestClient, op: dict[str, Any], status: int) -> None:
    ident = queued(mine)
    before = mine.get(f"{BASE}/{ident}").json()
    reply = patch(mine, ident, setting("name", "half"), op)
    assert reply.status_code == status, reply.text
    assert mine.get(f"{BASE}/{ident}").json() == before


def test_formats_are_fixed_once_there_are_bits(mine: TestClient) -> None:
    ident = active(mine)
    assert patch(mine, ident, setting("disk_format", "aki")).status_code == 403
    assert patch(mine, ident, setting("disk_format", "raw"), setting("name", "y")).json()["name"] == "y"


@pytest.mark.parametrize("media", ["application/json", "text/plain", "application/json-patch+json"])
def test_patches_have_types_of_their_own(mine: TestClient, media: str) -> None:
    assert patch(mine, queued(mine), setting("name", "y"), headers={"Content-Type": media}).status_code == 415


def test_tags_come_and_go(mine: TestClient) -> None:
    tags = f"{BASE}/{queued(mine)}/tags"
    assert [mine.put(f"{tags}/{tag}").status_code for tag in ("a", "b c%20d", "a", "x" * 256)] == [204, 204, 204, 400]
    assert mine.get(tags.removesuffix("/tags")).json()["tags"] == ["a", "b c d"]
    assert [mine.delete(f"{tags}/a").status_code for _ in range(2)] == [204, 404]


def test_the_protected_are_not_deleted(mine: TestClient) -> None:
    ident = active(mine, protected=True)
    refused = mine.delete(f"{BASE}/{ident}")
    assert (refused.status_code, "--unprotected" in message(refused)) == (403, True)
    patch(mine, ident, setting("protected", value=False))
    assert [mine.delete(f"{BASE}/{ident}").status_code for _ in range(2)] == [204, 404]
    assert mine.get(f"{BASE}/{ident}/file").status_code == 404


def test_lists_filter_and_sort(mine: TestClient, theirs: TestClient, admin: TestClient) -> None:
    queued(mine, name="b", tags=["t", "u"], hw_x="1")
    active(mine, b"12345", name="a", tags=["t"])
    queued(mine, name="hidden", os_hidden=True)
    queued(admin, name="pub", visibility="public")
    queued(theirs, name="theirs", visibility="community")
    assert names(mine, "?sort=name:asc") == ["a", "b", "pub"]
    assert names(mine, "?sort_key=name&sort_dir=desc") == ["pub", "b", "a"]
    assert names(mine, "?tag=t&tag=u") == names(mine, "?hw_x=1") == ["b"]
    assert (
        names(mine, "?status=active") == names(mine, "?size_min=5&size_max=5") == names(mine, "?name=in:a,z") == ["a"]
    )
    assert names(mine, "?os_hidden=true") == ["hidden"]
    assert names(mine, "?visibility=public") == ["pub"]
    assert names(mine, "?visibility=community") == ["theirs"]
    assert names(mine, "?visibility=all&sort=name:asc") == ["a", "b", "pub", "theirs"]
    assert names(mine, "?created_at=gte:2100-01-01T00:00:00Z") == []
    assert names(admin, f"?owner={PROJECT_A}&sort=name:asc") == ["a", "b"]
    assert mine.get(f"{BASE}?sort_key=colour").status_code == 400


def test_pages_lead_to_each_other(mine: TestClient) -> None:
    made = {queued(mine, name=f"n{i}") for i in range(5)}
    path, seen = f"{BASE}?limit=2&sort_key=name&sort_dir=asc", []
    while path:
        page = mine.get(path).json()
        assert page["first"] == "/v2/images?limit=2&sort_key=name&sort_dir=asc"
        assert page["schema"] == "/v2/schemas/images"
        seen += [one["id"] for one in page["images"]]
        path = f"/image{page['next']}" if "next" in page else ""
    assert (len(seen), set(seen)) == (5, made)
    assert mine.get(f"{BASE}?marker={uuid.uuid4()}").status_code == 400
    assert mine.get(f"{BASE}?limit=many").status_code == 400


def test_discovery_needs_no_token(mine: TestClient) -> None:
    del mine.headers["X-Auth-Token"]
    for path, status in (("/image", 300), ("/image/", 300), ("/image/versions", 200), ("/image/v2/", 300)):
        reply = mine.get(path)
        assert reply.status_code == status
        current = reply.json()["versions"][0]
        assert (current["status"], current["links"][0]["href"]) == ("CURRENT", "http://testserver/image/v2/")
    assert mine.get(BASE).status_code == 401


def test_the_service_says_what_it_is(mine: TestClient, admin: TestClient) -> None:
    active(mine, b"x")
    assert mine.get("/image/v2/info/import").json()["import-methods"]["value"] == []
    assert [one["id"] for one in mine.get("/image/v2/info/stores").json()["stores"]] == ["files"]
    assert [api.get("/image/v2/info/stores/detail").status_code for api in (mine, admin)] == [403, 200]
    usage = mine.get("/image/v2/info/usage").json()["usage"]
    assert {name: one["usage"] for name, one in usage.items()} == {
        "image_size_total": 1, "image_count_total": 1, "image_count_uploading": 0,
    }  # fmt: skip
