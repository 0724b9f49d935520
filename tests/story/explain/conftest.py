"""One cloud for each module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.story.hostile.world import World, world


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("cloud")) as made:
        yield made
