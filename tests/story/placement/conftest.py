"""The world that these stories are told in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import databases
from tests.story.placement.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two hosts, a server on the first."""
    with databases.sqlite(tmp_path) as database:
        made = World(database)
        with made.client:
            yield made
