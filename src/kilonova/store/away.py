"""
Telling a database that is away from a statement that is wrong.

A server that restarts or fails over breaks connections off, refuses new ones for a while, is read-only where another was
promoted, or has no connection left to give. In all of these nothing is wrong with what was asked, and asking again soon helps:
that is `DatabaseAway`. A transaction that broke off while it committed may have happened or not; whoever saw `DatabaseAway` looks
again. One that lost against another (a deadlock, say) is `TransactionConflict`: of that it is known that nothing happened, so it
may be done again at once, and `again.py` does.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kilonova.domain.errors import Away

READ_ONLY = "25006"  # the server is a standby by now
_DISK_FULL = "53100"
# What SQLite says where a write, or the file beside the database that all its users share, found no room.
_SQLITE_FULL = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE,
})  # fmt: skip
_LOST = ("40P01", "40001")  # a deadlock was broken here; what was read has changed


class DatabaseAway(Away):
    """The database does not answer now. What was under way was not done, or, where the commit broke off, maybe done."""


class DatabaseFull(DatabaseAway):
    """Its disk is full, or takes no write. Nothing of the transaction was done; reading works, and writing once there is room."""


class TransactionConflict(DatabaseAway):
    """Two transactions stood in each other's way, and the database ended this one. Nothing of it was done."""


def is_conflict(error: Exception) -> bool:
    """Whether this says that the transaction lost against another."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in _LOST


def is_full(error: Exception) -> bool:
    """Whether this says that there is no room on the database's disk, or that the disk takes no write."""
    original = getattr(error, "orig", None)
    if getattr(original, "sqlstate", None) == _DISK_FULL:
        return True
    return isinstance(original, sqlite3.Error) and getattr(original, "sqlite_errorcode", None) in _SQLITE_FULL


def is_away(error: Exception) -> bool:
    """Whether this says that the database is away, and nothing of the statement."""
    if isinstance(error, PoolTimeout):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if isinstance(error.orig, sqlite3.Error):
        return isinstance(error, OperationalError) and "locked" in str(error.orig)
    return error.connection_invalidated or isinstance(error, OperationalError) or is_read_only(error)


def is_read_only(error: Exception) -> bool:
    """Whether the server took no write because it is a standby."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) == READ_ONLY
