"""
Giving back to the file system what a SQLite database does not need any more.

SQLite keeps the pages of removed rows in the file, for rows to come. A file with `auto_vacuum=INCREMENTAL` can let go of them, a
few in a transaction; one that an older release made is written anew once, when the schema is looked at, if the disk has room.
PostgreSQL's autovacuum does all this by itself; it is told to be quicker on the tables that change most (`tables/vacuum.py`).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import OperationalError

from kilonova.store.database import Database

KEPT_PAGES = 1024
"""That stay free in any case, and a tenth of the file: what is kept for new rows is not asked of the file system again."""
STEP = 512
"""Pages let go of in one transaction: 2 MB."""
_INCREMENTAL = 2
_log = structlog.get_logger(__name__)


def ensure_gives_back(db: Database) -> None:
    """Have the file be one that can shrink. Does so once, and not while others use it or the disk has no room for a second."""
    if not db.is_sqlite or _pragma(db, "auto_vacuum") == _INCREMENTAL:
        return
    size = _pragma(db, "page_count") * _pragma(db, "page_size")
    path = db.engine.url.database or ""
    if path and path != ":memory:" and shutil.disk_usage(Path(path).parent).free < 2 * size:
        _log.warning("the database file cannot be made to shrink: the disk has no room for a second copy", bytes=size)
        return
    _log.info("the database file is written anew, once, so that it can shrink from now on", bytes=size)
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA temp_store=FILE")  # the copy is as large as the file
        try:
            connection.exec_driver_sql("PRAGMA auto_vacuum=INCREMENTAL")  # taken by what follows alone
            connection.exec_driver_sql("VACUUM")
        except OperationalError as error:
            _log.warning("the database file could not be written anew; the next start tries again", why=str(error.orig))
        finally:
            connection.exec_driver_sql("PRAGMA temp_store=MEMORY")


def give_back(db: Database) -> int:
    """Let go of some of the free pages, where there are more than are kept. Returns how many it let go of; 0: no more to do."""
    if not db.is_sqlite:
        return 0
    free, pages = _pragma(db, "freelist_count"), _pragma(db, "page_count")
    surplus = min(STEP, free - max(KEPT_PAGES, pages // 10))
    if surplus <= 0:
        return 0
    with db.write() as tx:
        # A page for each row that it gives, and only as a script does the driver ask for all of them; a transaction of its own.
        driver: Any = tx.connection.connection.driver_connection
        driver.executescript(f"PRAGMA incremental_vacuum({surplus})")
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # only then does the file get shorter
    return max(free - _pragma(db, "freelist_count"), 0)


def _pragma(db: Database, name: str) -> int:
    with db.read() as tx:
        found: Any = tx.connection.exec_driver_sql(f"PRAGMA {name}").scalar()
        return int(found)
