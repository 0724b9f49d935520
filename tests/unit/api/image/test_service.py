"""The service as a table: every codec compiles, every rule is declared, ranges are read as HTTP has them."""

from __future__ import annotations

import pytest

from kilonova.api.framework import Policy
from kilonova.api.image import POLICIES, data, discovery, image_service, images, info, members, schemas
from kilonova.api.image.data import OutOfRange, read_range
from kilonova.domain.clock import Ids, SystemClock
from kilonova.image.bits import FileBits
from kilonova.image.service import ImageService
from kilonova.store.database import Database
from tests.apiclient import compile_all

ROUTES = [route for part in (images, data, members, info, schemas, discovery) for route in part.ROUTES]


def test_every_codec_compiles(tmp_path: object) -> None:
    service = ImageService(
        database=Database("sqlite://"),
        clock=SystemClock(),
        ids=Ids(),
        bits=FileBits(tmp_path / "bits"),  # type: ignore[operator]
    )
    try:
        assert compile_all(image_service(service)) > 10
    finally:
        service.database.close()


def test_every_rule_is_declared_and_used() -> None:
    used = {route.policy for route in ROUTES if route.policy}
    assert used <= Policy(POLICIES).names
    assert {rule.name for rule in POLICIES} - used == {"publicize_image", "communitize_image"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", None),
        ("bytes=0-9", (0, 10)),
        ("bytes=5-", (5, 95)),
        ("bytes=-5", (95, 5)),
        ("bytes=-500", (0, 100)),
        ("bytes=90-500", (90, 10)),
        ("bytes = 0-0", (0, 1)),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
        ("bytes=x", None),
    ],
)
def test_ranges(text: str, found: tuple[int, int] | None) -> None:
    assert read_range(text, 100) == found


@pytest.mark.parametrize("text", ["bytes=100-", "bytes=9-8", "bytes=-0", "bytes=1000-2000"])
def test_ranges_outside(text: str) -> None:
    with pytest.raises(OutOfRange):
        read_range(text, 100)
