"""
What a saga is made of.

A step is `do` with its `undo` beside it. Both are called inside the transaction that journals them, may be called again after
a crash, and return either a result or an `Await`: a command that a host must carry out first. `prepare` runs before the
transaction, for what must not hold one open (asking the scheduler); it must be repeatable and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from kilonova.domain.placement import Choice
from kilonova.domain.report import Outcome
from kilonova.domain.saga import Saga, SagaStatus
from kilonova.rpc.commands import Command
from kilonova.store.database import Tx

ParamsT = TypeVar("ParamsT", bound=msgspec.Struct)
ResultT = TypeVar("ResultT")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """
    Why a step failed. `elsewhere`: going back and choosing another host could cure it. `cancelled`: it was told to stop.
    """

    message: str
    code: int = 500
    elsewhere: bool = False
    cancelled: bool = False
    host: str | None = None
    details: str = ""
    choice: Choice | None = None  # of a step that looked for a host: why it found none


class StepFailed(Exception):
    """The step cannot be done; `failure` is journaled and the saga undoes what it did."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class TryAgain(Exception):
    """Not now: let go of the saga and come back to this step after `after_s` seconds. Nothing is journaled."""

    def __init__(self, after_s: float) -> None:
        super().__init__(after_s)
        self.after_s = after_s


class Await(msgspec.Struct, frozen=True, kw_only=True):
    """A command that `host` must carry out before the step is done; sent again after `resend_after_s` seconds of silence."""

    host: str
    command: Command
    resend_after_s: float = 20.0


@dataclass(frozen=True)
class Run(Generic[ParamsT]):
    """What a step is shown of the saga it runs in."""

    saga: Saga
    params: ParamsT
    attempt: int
    results: Mapping[str, Any]  # of the steps done, by name: `result` gives one with its type
    failures: tuple[Failure, ...]  # of every attempt so far, the present one's too
    failure: Failure | None  # while undoing, and at the end of a saga that failed
    now: datetime
    command_id: str  # of the command this step would send
    is_resend: bool  # that command was sent before

    @property
    def subject_id(self) -> str:
        """What the saga is about: the id of a server, a volume."""
        return self.saga.subject.id

    def result(self, step: type[Step[Any, ResultT]]) -> ResultT:
        """What a step that is done came to. Raises KeyError when it is not done."""
        found: ResultT = self.results[step.name]
        return found

    @property
    def failed_hosts(self) -> tuple[str, ...]:
        """The hosts that attempts failed on."""
        return tuple(failure.host for failure in self.failures if failure.host)


class Step(Generic[ParamsT, ResultT]):
    """
    One step of a saga with these parameters. Subclasses give it a name, the type of its result, and what to do.

    `result` is that type at run time, by which the journal is decoded; it stands for `ResultT`.
    """

    name: ClassVar[str]
    result: ClassVar[Any] = type(None)

    def prepare(self, run: Run[ParamsT]) -> Any:
        """What must be known before the transaction. Repeatable; changes nothing."""
        return None

    def do(self, tx: Tx, run: Run[ParamsT], prepared: Any) -> ResultT | Await:
        """Do it. Raises StepFailed, TryAgain."""
        raise NotImplementedError

    def reply(self, tx: Tx, run: Run[ParamsT], outcome: Outcome) -> ResultT:
        """Fold in what the host reported. Only for steps whose `do` awaits. Raises StepFailed, TryAgain."""
        raise NotImplementedError

    def silence(self, tx: Tx, run: Run[ParamsT], waited_s: float) -> None:
        """The host has not reported for `waited_s` seconds, and is about to be asked again. Raises StepFailed to give up."""

    def undo(self, tx: Tx, run: Run[ParamsT]) -> Await | None:
        """Undo it, whether it was done wholly, in part, or not at all."""
        return None

    def undo_is_done(self, tx: Tx, run: Run[ParamsT], outcome: Outcome | None, waited_s: float) -> bool:
        """Whether the host's report (None: silence for `waited_s` seconds) ends the undo; else it is sent again."""
        return outcome is not None and outcome.fault is None


@dataclass(frozen=True)
class Definition(Generic[ParamsT]):
    """
    A kind of saga.

    A failure that another host could cure starts it again from the first step, up to `attempts` attempts. `at_end` runs in the
    transaction that ends it.

    `point_of_no_return` is the first step that is never undone. Before it, what fails or is told to stop is undone. Once the saga
    has come to it, nothing is: a step that cannot be done yet is tried again, and a cancel comes too late.
    """

    kind: str
    params: type[ParamsT]
    steps: Sequence[Step[ParamsT, Any]]
    at_end: Callable[[Tx, Run[ParamsT], SagaStatus], None]
    attempts: int = 3
    point_of_no_return: type[Step[ParamsT, Any]] | None = None
    index: dict[str, int] = field(init=False)
    # Made here and not at first use: msgspec crashes when two threads decode a struct for the first time at once.
    params_decoder: msgspec.json.Decoder[Any] = field(init=False)
    result_decoders: dict[str, msgspec.json.Decoder[Any]] = field(init=False)  # by the step's name
    no_return_from: int = field(init=False)  # the index of the first step that is never undone

    def __post_init__(self) -> None:
        object.__setattr__(self, "index", {step.name: i for i, step in enumerate(self.steps)})
        object.__setattr__(self, "params_decoder", msgspec.json.Decoder(self.params))
        object.__setattr__(self, "result_decoders", {s.name: msgspec.json.Decoder(s.result) for s in self.steps})
        last = self.point_of_no_return
        object.__setattr__(self, "no_return_from", len(self.steps) if last is None else self.index[last.name])

    def may_fail_at(self, step: int) -> bool:
        """Whether a saga that has come to the step of this index may still be undone."""
        return step < self.no_return_from
