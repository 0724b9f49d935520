"""A rim that serves identity alone, on a clock that stands still, and two people who are logged in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.identity.bootstrap import Credentials
from kilonova.identity.service import Identity
from tests import databases
from tests.fakes.identity import Caller, account, make_identity, open_client
from tests.world.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def started(tmp_path: Path, clock: ManualClock) -> Iterator[tuple[Identity, Credentials]]:
    with databases.sqlite(tmp_path) as database:
        yield make_identity(database, clock)


@pytest.fixture
def credentials(started: tuple[Identity, Credentials]) -> Credentials:
    return started[1]


@pytest.fixture
def nobody(started: tuple[Identity, Credentials]) -> Iterator[Caller]:
    with open_client(started[0]) as http:
        yield Caller(http)


@pytest.fixture
def admin(nobody: Caller, credentials: Credentials) -> Caller:
    return nobody.log_in(account("admin", credentials.admin_password))


@pytest.fixture
def demo(nobody: Caller, credentials: Credentials) -> Caller:
    """A member of project demo, and of nothing else."""
    return nobody.log_in(account("demo", credentials.demo_password))
