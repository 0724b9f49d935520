"""
`Commands` made of handlers that block: a few threads carry commands out, and those about one subject in the order they came.

A subject with commands waiting has a queue, and at most one thread at work on that queue, so two commands about one server
never overlap while those about others go on. A queue that runs dry is forgotten. `done` is called once for each command: with
the outcome, with the fault the handler raised, or, when it broke, with a fault that tells the user nothing of the host; what
broke is in the log.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import structlog

from kilonova.agent.commands import Done, Handlers, OnStage, unknown
from kilonova.agent.failure import HostFailure
from kilonova.agent.images.space import DISK_FULL, is_full
from kilonova.domain.report import HostFault, Outcome
from kilonova.rpc.commands import Command

_log = structlog.get_logger(__name__)


class CommandPool:
    """Runs handlers in at most `threads` threads."""

    def __init__(self, handlers: Handlers, *, threads: int = 8) -> None:
        self._handlers = handlers
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="host")
        self._lock = Lock()
        self._waiting: dict[str, deque[Callable[[], None]]] = {}

    def submit(self, command: Command, stage: OnStage, done: Done) -> None:
        job = lambda: done(self._outcome(command, stage))  # noqa: E731 - a closure with a name reads no better
        with self._lock:
            queue = self._waiting.get(command.subject.id)
            if queue is not None:
                queue.append(job)
                return
            self._waiting[command.subject.id] = deque([job])
        self._pool.submit(self._drain, command.subject.id)

    def apart(self, work: Callable[[], object], what: str) -> None:
        """Do something that nobody waits for; the log says when it fails."""
        self._pool.submit(_safely, work, what)

    def close(self) -> None:
        """Finish the commands at work and those that wait."""
        self._pool.shutdown(wait=True)

    def _drain(self, subject_id: str) -> None:
        """Carry out the commands about one subject until none waits."""
        while True:
            with self._lock:
                queue = self._waiting[subject_id]
                if not queue:
                    del self._waiting[subject_id]
                    return
                job = queue.popleft()
            try:
                job()
            except Exception:  # noqa: BLE001 - whoever is told broke, and the next command's answer must not be lost for it
                _log.exception("outcome not delivered", subject=subject_id)

    def _outcome(self, command: Command, stage: OnStage) -> Outcome:
        try:
            handler = self._handlers.get(type(command))
            return unknown(command) if handler is None else handler(command, stage)
        except HostFailure as failure:
            return Outcome(fault=failure.fault)
        except OSError as error:
            if is_full(error):
                _log.error("the host's disk is full", subject=command.subject.id, file=error.filename)
                return Outcome(fault=DISK_FULL)
            return self._unforeseen(command)
        except Exception:  # noqa: BLE001 - a command always has an answer
            return self._unforeseen(command)

    def _unforeseen(self, command: Command) -> Outcome:
        """To be called where an exception is handled."""
        _log.exception("a handler broke", subject=command.subject.id, command=type(command).__name__)
        message = "The host failed in a way nobody foresaw; its log has the details under its id."
        return Outcome(fault=HostFault(message=message, elsewhere=True))


def _safely(work: Callable[[], object], what: str) -> None:
    try:
        work()
    except Exception:  # noqa: BLE001 - nobody waits for this one
        _log.exception("work apart from commands failed", what=what)
