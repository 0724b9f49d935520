"""What tests of the store share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.store.database import Database
from kilonova.store.tables import metadata
from tests import databases


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        db = Database(f"sqlite:///{tmp_path / 'empty.db'}")
        yield db
        db.close()
        return
    cluster: databases.Cluster | None = request.getfixturevalue("postgres")
    if cluster is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with cluster.database() as url:
        db = Database(url)
        with db.engine.begin() as connection:
            metadata.drop_all(connection)
        yield db
        db.close()
