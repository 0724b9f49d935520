"""An image service on SQLite, spoken to in process by the fake callers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kilonova.image.recovery import audit
from kilonova.image.service import ImageService
from tests import databases, imageparts
from tests.fakes.auth import ADMIN, MEMBER_A, MEMBER_B, READER_A


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ImageService]:
    """Whatever a story does, nothing may be left that belongs to nobody."""
    with databases.sqlite(tmp_path) as database:
        made = imageparts.build(database, tmp_path)
        yield made
        assert not any(audit(made).values())


@pytest.fixture
def mine(service: ImageService) -> Iterator[TestClient]:
    with imageparts.api(service, MEMBER_A) as made:
        yield made


@pytest.fixture
def theirs(service: ImageService) -> Iterator[TestClient]:
    with imageparts.api(service, MEMBER_B) as made:
        yield made


@pytest.fixture
def reader(service: ImageService) -> Iterator[TestClient]:
    with imageparts.api(service, READER_A) as made:
        yield made


@pytest.fixture
def admin(service: ImageService) -> Iterator[TestClient]:
    with imageparts.api(service, ADMIN) as made:
        yield made
