"""Token makers on a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from kilonova.identity.keys import KeyRing
from kilonova.identity.tokens import TokenMaker
from kilonova.store.database import Database
from tests import databases
from tests.world.clock import ManualClock


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("tokens")
    with databases.sqlite(folder) as made:
        yield made


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def keys(store: Database, clock: ManualClock) -> KeyRing:
    return KeyRing(store, clock, purpose="token", life=timedelta(hours=1))


@pytest.fixture
def maker(keys: KeyRing, clock: ManualClock) -> TokenMaker:
    return TokenMaker(keys, clock, timedelta(hours=1))
