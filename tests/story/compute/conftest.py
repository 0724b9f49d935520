"""A compute service on a real database, without hosts or conductors: what it accepts is in the records for a test to see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.story.compute.cloud import Cloud, sqlite_cloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with sqlite_cloud(tmp_path) as made:
        yield made
