"""
The saga's journal: six kinds of event, and one pure function that says which may follow which.

    started ─► step_done* ─► finished(done)
                  │
             step_failed ─► undo_started ─► undo_done* ─┬─► started (next attempt, from a given step on)
                                                        └─► finished(failed | cancelled)

A saga is a row; where it stands is `fold(events)` and nothing else. `step_failed` is also written for a cancel (its error
says so): a saga that is told to stop does so between two steps or while it waits, by failing and undoing.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class SubjectKind(StrEnum):
    """What a saga can be about."""

    SERVER = "server"
    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    IMAGE = "image"  # its distribution to hosts
    NETWORK = "network"
    HOST = "host"


class Subject(msgspec.Struct, frozen=True):
    """What a saga, or a command to a host, is about. A subject has one saga at work at a time; others queue behind it."""

    kind: SubjectKind
    id: str


def about_server(server_id: str) -> Subject:
    """A server as the subject of a saga or command."""
    return Subject(SubjectKind.SERVER, server_id)


class Event(StrEnum):
    """The kinds of journal events."""

    STARTED = "started"
    STEP_DONE = "step_done"
    STEP_FAILED = "step_failed"
    UNDO_STARTED = "undo_started"
    UNDO_DONE = "undo_done"
    FINISHED = "finished"


class SagaStatus(StrEnum):
    """Where the row stands for the runner. Queued: another saga of the subject goes first."""

    QUEUED = "queued"
    READY = "ready"
    PARKED = "parked"  # waits for a host's report, or for its time to try again
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


RUNNING = (SagaStatus.READY, SagaStatus.PARKED)
LIVE = (SagaStatus.QUEUED, SagaStatus.READY, SagaStatus.PARKED)


class JournalEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a journal. `result` is the step's typed result as JSON; `error` a sentence for users."""

    seq: int
    event: Event
    at: datetime
    attempt: int
    step: str | None = None
    host: str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: str | None = None


class Saga(msgspec.Struct, frozen=True, kw_only=True):
    """One saga's row. `epoch` fences: every write names the epoch it holds, and a taken-over saga's writes fail."""

    id: str
    kind: str
    subject: Subject
    project_id: str | None
    user_id: str | None
    request_id: str
    params: msgspec.Raw
    status: SagaStatus
    attempt: int
    cancel: bool
    owner: str | None
    epoch: int
    lease_until: datetime | None
    command_id: str | None  # what it is parked on
    awaited_host: str | None  # who is to report on that command
    reply: msgspec.Raw | None  # the host's report, once it came
    wake_at: datetime | None
    message: str | None  # the action's message, for os-instance-actions
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


_FOLLOWS: dict[Event | None, frozenset[Event]] = {
    None: frozenset({Event.STARTED}),
    Event.STARTED: frozenset({Event.STEP_DONE, Event.STEP_FAILED}),
    Event.STEP_DONE: frozenset({Event.STEP_DONE, Event.STEP_FAILED, Event.FINISHED}),
    Event.STEP_FAILED: frozenset({Event.STEP_FAILED, Event.UNDO_STARTED, Event.FINISHED}),
    Event.UNDO_STARTED: frozenset({Event.UNDO_DONE, Event.STARTED, Event.FINISHED}),
    Event.UNDO_DONE: frozenset({Event.UNDO_DONE, Event.STARTED, Event.FINISHED}),
    Event.FINISHED: frozenset(),
}


def may_follow(last: Event | None, new: Event) -> bool:
    """Whether `new` may be written after `last` (None: the journal is empty)."""
    return new in _FOLLOWS[last]
