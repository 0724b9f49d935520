"""More boots than may wait: the API says so at once, and when to ask again."""

from __future__ import annotations

from pathlib import Path

from kilonova.compute.backlog import Bounds
from tests import databases
from tests.fakes.auth import ADMIN
from tests.fakes.images import image
from tests.story.compute.cloud import Cloud

BODY = {"server": {"name": "one", "flavorRef": "1", "imageRef": image().id, "networks": "auto"}}


def test_a_project_and_a_cloud_past_their_bounds_are_told_when_to_ask_again(tmp_path: Path) -> None:
    with databases.sqlite(tmp_path) as database, Cloud(database, bounds=Bounds(per_project=1, whole=2)) as cloud:
        cloud.boot(active=False)
        told = cloud.call("POST", "/servers", BODY, version="2.90")
        assert (told.status_code, told.headers["Retry-After"]) == (429, "1")
        assert told.json()["overLimit"]["retryAfter"] == "1"
        cloud.boot(token=ADMIN, active=False)
        told = cloud.call("POST", "/servers", BODY, token=ADMIN, version="2.90")
        assert (told.status_code, told.headers["Retry-After"]) == (503, "1")
        assert "more requests waiting" in told.json()["serviceUnavailable"]["message"]
