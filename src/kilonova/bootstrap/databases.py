"""What `kilonova db` does, with the fleet's own settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from kilonova.bootstrap.fleet import first_start, make_database
from kilonova.bootstrap.key_stores import embedded_key_store, fleet_key_store
from kilonova.config.fleet import FleetConfig
from kilonova.config.load import load_config
from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.errors import Conflict, Missing, Unavailable
from kilonova.identity.service import build_identity
from kilonova.identity.tokens import PURPOSE
from kilonova.rpc.inprocess import InProcessBus
from kilonova.runtime import Runtime
from kilonova.settings import DATABASE_FILE, load
from kilonova.store import move as moving
from kilonova.store import schema
from kilonova.store.away import DatabaseAway
from kilonova.store.clock import DatabaseClock
from kilonova.store.database import Database
from kilonova.store.epoch import BY_HAND, Epoch
from kilonova.store.queries import identity_tokens


class Moved(NamedTuple):
    """What was moved, and what is left to do by hand: the images' files."""

    tables: int
    rows: int
    images: str
    image_files: int
    image_bytes: int


def upgrade(config_file: Path) -> tuple[str | None, str]:
    """Make or upgrade the schema; the version before and after."""
    with _Fleet(config_file) as fleet:
        before = schema.current_version(fleet.db)
        schema.ensure_schema(fleet.db)
        return before, schema.current_version(fleet.db) or ""


def status(config_file: Path) -> dict[str, Any]:
    """What the schema is at."""
    with _Fleet(config_file) as fleet:
        current, lacks = schema.current_version(fleet.db), schema.what_lacks(fleet.db)
        return {"schema": current or "none", "release_needs": schema.HEAD, "lacks": lacks}


def bootstrap(config_file: Path) -> str | None:
    """The first start's part; the file that the passwords are in, if they were made now."""
    with _Fleet(config_file) as fleet:
        if problem := schema.what_lacks(fleet.db):
            raise Conflict(f"The database cannot be filled: {problem}", next_step="kilonova db upgrade")
        clock, ids = SystemClock(), Ids()
        runtime = Runtime(db=fleet.db, bus=InProcessBus(), clock=clock, ids=ids)
        is_first = first_start(fleet.config)(
            runtime, build_identity(fleet.db, clock, ids, key_store=fleet_key_store(fleet.config.keys))
        )
        return fleet.config.api.credentials_file if is_first else None


def new_epoch(config_file: Path) -> None:
    """Have hosts take all of their state anew: the records went back. Raises Conflict on a schema of an older release."""
    with _Fleet(config_file) as fleet:
        if problem := schema.what_lacks(fleet.db):
            raise Conflict(f"The database is not ready: {problem}", next_step="kilonova db upgrade")
        clock = DatabaseClock(fleet.db, SystemClock())
        if not fleet.db.is_sqlite:
            clock.measure()
        Epoch(fleet.db, clock, Ids()).begin(BY_HAND)


def new_epoch_of(data_dir: Path) -> None:
    """The same for the cloud of a data directory, which must be down. Raises Missing, Conflict."""
    database = _embedded(data_dir)
    try:
        schema.ensure_schema(database)
        Epoch(database, SystemClock(), Ids()).begin(BY_HAND)
    finally:
        database.close()


def move(config_file: Path, data_dir: Path, tell: Callable[[str], None]) -> Moved:
    """Carry the cloud of a data directory, which must be down, into the fleet's database. Raises Missing, Conflict."""
    source = _embedded(data_dir)
    with _Fleet(config_file) as fleet:
        try:
            moved = moving.move(source, fleet.db, tell)
            _wrap_for_fleet(fleet, data_dir)
        finally:
            source.close()
        files = [path for path in (data_dir / "images").glob("*") if path.suffix != ".part"]
        size = sum(path.stat().st_size for path in files)
        return Moved(moved.tables, moved.rows, fleet.config.images.folder, len(files), size)


def _embedded(data_dir: Path) -> Database:
    if load(data_dir) is None:
        raise Missing("Cloud", data_dir, next_step="Name the --data-dir of a cloud that `kilonova up` made.")
    return Database(f"sqlite:///{data_dir / DATABASE_FILE}")


def _wrap_for_fleet(fleet: _Fleet, data_dir: Path) -> None:
    """The keys were wrapped with the cloud's own file; the fleet has another, or none."""
    own, theirs = embedded_key_store(data_dir), fleet_key_store(fleet.config.keys)
    with fleet.db.write() as tx:
        for key in identity_tokens.keys(tx, PURPOSE):
            kept = theirs.wrap(own.unwrap(key.key))
            identity_tokens.keep_key(tx, PURPOSE, msgspec.structs.replace(key, key=kept))


class _Fleet:
    """The fleet's database, for as long as a command takes."""

    def __init__(self, config_file: Path) -> None:
        self.config = load_config(FleetConfig, config_file)
        self.db = make_database(self.config.database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        self.db.close()
        if isinstance(error, DatabaseAway):
            raise Unavailable(
                f"The database does not answer: {error}.",
                next_step="Look at [database] url, and whether PostgreSQL runs.",
            ) from error
