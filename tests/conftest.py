"""The lanes: a test's folder says what it needs, so no test has to mark itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failure: nothing here is judged by its time.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

TESTS = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(TESTS / "system"):
            item.add_marker(pytest.mark.system)
