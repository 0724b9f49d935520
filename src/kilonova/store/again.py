"""
Doing work again whose transaction the database ended in favour of another.

Rows are locked in one order throughout (`docs/architecture.md`), so this should not happen. Where it does all the same, nothing
of the transaction was done and the other one goes on; done again at once, the work waits for that one and goes through, and
nobody outside hears of it. Work that had committed something before is not done again: that would happen twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

import structlog

from kilonova.store.away import TransactionConflict

TRIES = 5
_T = TypeVar("_T")
_commits: ContextVar[int] = ContextVar("commits", default=0)
_log = structlog.get_logger(__name__)


def committed() -> None:
    """The database calls this at every commit."""
    _commits.set(_commits.get() + 1)


def until_done(work: Callable[[], _T]) -> _T:
    """What `work` gives. It is done again, up to `TRIES` times in all, as long as it was overtaken and had committed nothing."""
    before = _commits.get()
    for left in reversed(range(TRIES)):
        try:
            return work()
        except TransactionConflict as why:
            if not left or _commits.get() != before:
                raise
            _log.warning("a transaction was ended in favour of another; it is done again", why=str(why))
    raise AssertionError("the last try gives or raises")
