"""What requests do to the database, seen at the engine: their statements, and what of it was committed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, event

_WRITES = ("INSERT", "UPDATE", "DELETE", "REPLACE")


@dataclass
class Done:
    """Of one request: every statement in order, and those of them that changed something and were committed."""

    statements: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


class Watch:
    """Watches the threads that serve requests; one request at a time, so that what is seen is of that."""

    def __init__(self, engine: Engine) -> None:
        self._now: Done | None = None
        self._open: dict[int, list[str]] = {}
        event.listen(engine, "before_cursor_execute", self._execute)
        event.listen(engine, "commit", self._commit)
        event.listen(engine, "rollback", self._rollback)

    @contextmanager
    def one(self) -> Iterator[Done]:
        """The time of one request."""
        self._now = made = Done()
        try:
            yield made
        finally:
            self._now = None

    def _execute(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if self._now is None or not threading.current_thread().name.startswith("AnyIO"):
            return
        self._now.statements.append(statement)
        if statement.lstrip().upper().startswith(_WRITES):
            self._open.setdefault(id(connection.connection.dbapi_connection), []).append(statement)

    def _commit(self, connection: Any) -> None:
        changed = self._open.pop(id(connection.connection.dbapi_connection), [])
        if self._now is not None:
            self._now.written += changed

    def _rollback(self, connection: Any) -> None:
        self._open.pop(id(connection.connection.dbapi_connection), None)
