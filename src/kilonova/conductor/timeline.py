"""
The stages hosts report on the way, gathered and written a few times a second.

They are for people to look at; a boot has several of them, so each in a transaction of its own would cost more than the boot.
"""

from __future__ import annotations

import threading
from datetime import datetime

import structlog

from kilonova.domain.clock import Clock
from kilonova.domain.saga import SubjectKind
from kilonova.rpc.messages import Progress
from kilonova.store.away import DatabaseAway
from kilonova.store.database import Database
from kilonova.store.queries import server_facts, stages

FLUSH_EVERY_S = 0.3
_MOST_KEPT = 50_000  # while the database is away
_log = structlog.get_logger(__name__)


class Timeline:
    """Takes `Progress`; writes it in batches, from a thread of its own."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db, self._clock = db, clock
        self._waiting: list[tuple[Progress, datetime]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timeline", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end."""
        self._stopping.set()
        self._thread.join()

    def add(self, progress: Progress) -> None:
        """Take one. The stage began when it is heard of: a host's own clock may be hours off."""
        with self._lock:
            self._waiting.append((progress, self._clock.now()))

    def _run(self) -> None:
        while not self._stopping.wait(FLUSH_EVERY_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            batch, self._waiting = self._waiting, []
        if not batch:
            return
        try:
            self._write(batch)
        except DatabaseAway:
            with self._lock:
                self._waiting = [*batch, *self._waiting][-_MOST_KEPT:]
        except Exception:  # noqa: BLE001 - the thread must not end for what one host said
            _log.exception("stages could not be written; the timeline goes without them", stages=len(batch))

    def _write(self, batch: list[tuple[Progress, datetime]]) -> None:
        reached = [stage for progress, at in batch if (stage := _reached(progress, at)) is not None]
        with self._db.write() as tx:
            stages.add(tx, reached)
            server_facts.progressed(
                tx, {of.subject.id: of.percent for of, _ in batch if of.subject.kind is SubjectKind.SERVER}
            )


def _reached(progress: Progress, at: datetime) -> stages.StageReached | None:
    """A saga's commands are named `<saga>/<attempt>/<step>/<way>`; a reconciler's have no timeline."""
    saga_id, attempt, *_ = (*progress.command_id.split("/"), "")
    if not (attempt.isascii() and attempt.isdigit() and len(attempt) < 6):
        return None
    return stages.StageReached(
        saga_id=saga_id,
        attempt=int(attempt),
        host=progress.host,
        name=progress.stage,
        started_at=at,
    )
