from __future__ import annotations

from pathlib import Path

import pytest

from kilonova.image.service import ImageService
from kilonova.store.database import Database
from tests.imageparts import build
from tests.world.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def service(database: Database, tmp_path: Path, clock: ManualClock) -> ImageService:
    return build(database, tmp_path, clock=clock)
