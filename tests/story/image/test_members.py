"""Sharing over HTTP."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from tests.fakes.auth import PROJECT_B
from tests.imageparts import BASE, active, queued


def test_a_share_is_offered_taken_and_withdrawn(mine: TestClient, theirs: TestClient) -> None:
    ident = active(mine, b"shared bits", name="s")
    members = f"{BASE}/{ident}/members"
    made = mine.post(members, json={"member": PROJECT_B})
    assert (made.status_code, made.json()["status"], made.json()["member_id"]) == (200, "pending", PROJECT_B)
    assert mine.post(members, json={"member": PROJECT_B}).status_code == 409
    assert theirs.get(BASE).json()["images"] == []
    assert len(theirs.get(f"{BASE}?visibility=shared&member_status=pending").json()["images"]) == 1
    assert theirs.put(f"{members}/{PROJECT_B}", json={"status": "accepted"}).json()["status"] == "accepted"
    assert [one["name"] for one in theirs.get(BASE).json()["images"]] == ["s"]
    assert theirs.get(f"{BASE}/{ident}/file").content == b"shared bits"
    assert theirs.get(members).json() == mine.get(members).json()
    assert theirs.get(f"{members}/{PROJECT_B}").json()["image_id"] == ident
    assert mine.delete(f"{members}/{PROJECT_B}").status_code == 204
    assert theirs.get(f"{BASE}/{ident}").status_code == 404
    assert mine.delete(f"{members}/{PROJECT_B}").status_code == 404


def test_each_side_decides_on_its_own(mine: TestClient, theirs: TestClient) -> None:
    ident = queued(mine)
    members = f"{BASE}/{ident}/members"
    mine.post(members, json={"member": PROJECT_B})
    assert mine.put(f"{members}/{PROJECT_B}", json={"status": "accepted"}).status_code == 403
    assert theirs.post(members, json={"member": "x"}).status_code == 403
    assert theirs.delete(f"{members}/{PROJECT_B}").status_code == 403
    assert theirs.delete(f"{BASE}/{ident}").status_code == 403


@pytest.mark.parametrize(
    "body", [{}, {"member": ""}, {"member": 5}, {"member": "x" * 256}, {"member": "x", "role": "y"}]
)
def test_junk_is_no_member(mine: TestClient, body: dict[str, object]) -> None:
    assert mine.post(f"{BASE}/{queued(mine)}/members", json=body).status_code == 400


def test_only_shared_images_are_shared(mine: TestClient) -> None:
    ident = queued(mine, visibility="private")
    assert mine.post(f"{BASE}/{ident}/members", json={"member": PROJECT_B}).status_code == 403
    assert mine.get(f"{BASE}/{ident}/members").status_code == 403


def test_an_answer_is_one_of_three(mine: TestClient, theirs: TestClient) -> None:
    members = f"{BASE}/{queued(mine)}/members"
    mine.post(members, json={"member": PROJECT_B})
    assert theirs.put(f"{members}/{PROJECT_B}", json={"status": "maybe"}).status_code == 400
    assert theirs.put(f"{members}/{PROJECT_B}", json={"status": "rejected"}).json()["status"] == "rejected"
