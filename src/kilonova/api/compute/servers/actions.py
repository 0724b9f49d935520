"""Actions that are over when they are answered: lock, unlock, reset the state, read the console log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from msgspec import UNSET

from kilonova.api.compute.common import scope
from kilonova.api.framework import Maybe, Meta, Params, Query, Request, Route, View, reads, since, until
from kilonova.api.framework.types import IntLike
from kilonova.compute.console import ReadConsole
from kilonova.compute.lock import LockServer
from kilonova.compute.reset_state import ResetState
from kilonova.domain.verbs import CONSOLE_OUTPUT, LOCK, RESET_STATE, UNLOCK, Verb


def _length(value: int) -> int:
    if value < -1:
        raise ValueError("must be -1 (all of it) or more")
    return value


class LockParams(Params):
    """Why, if one wants to say (2.73)."""

    locked_reason: Annotated[str, Meta(min_length=1, max_length=255)]


class ResetParams(Params):
    """The state to declare."""

    state: Literal["active", "error"]


class ConsoleParams(Params):
    """How many lines; nothing, null or -1 is all of them."""

    length: Maybe[Annotated[IntLike, reads(_length)] | None] = UNSET


class OutputView(View):
    """The end of the console log."""

    output: str


class ServerActions:
    """The actions, with the use cases behind them."""

    def __init__(self, *, lock: LockServer, reset: ResetState, console: ReadConsole) -> None:
        self._lock, self._reset, self._console = lock, reset, console

    def lock(self, req: Request[Any, Query]) -> None:
        """Lock it. Whatever the body was, it said nothing before 2.73."""
        self._lock.lock(scope(req, LOCK.policy), req.path["server_id"])

    def lock_with_reason(self, req: Request[LockParams | None, Query]) -> None:
        """Lock it, and keep the reason."""
        reason = req.params.locked_reason if req.params else None
        self._lock.lock(scope(req, LOCK.policy), req.path["server_id"], reason)

    def unlock(self, req: Request[Any, Query]) -> None:
        """Unlock it."""
        may_override = req.can(f"{UNLOCK.policy}:unlock_override")
        self._lock.unlock(scope(req, UNLOCK.policy), req.path["server_id"], may_override=may_override)

    def reset_state(self, req: Request[ResetParams, Query]) -> None:
        """Declare it active or in error."""
        self._reset(scope(req, RESET_STATE.policy), req.path["server_id"], req.params.state)

    def console_output(self, req: Request[ConsoleParams, Query]) -> OutputView:
        """The end of its console log."""
        sent = req.params.length
        lines = None if sent is UNSET or sent is None or sent < 0 else sent
        return OutputView(output=self._console(scope(req, CONSOLE_OUTPUT.policy), req.path["server_id"], lines))


def _action(verb: Verb, handler: Callable[..., Any], **more: Any) -> Route:
    return Route("POST", "/servers/{server_id}/action", handler, action=verb.action, policy=verb.policy, **more)


ROUTES = (
    _action(LOCK, ServerActions.lock, versions=until("2.72"), status=202, params=Any, summary="Lock a server"),
    _action(LOCK, ServerActions.lock_with_reason, versions=since("2.73"), status=202, params=LockParams | None,
            summary="Lock a server"),
    _action(UNLOCK, ServerActions.unlock, status=202, params=Any, summary="Unlock a server"),
    _action(RESET_STATE, ServerActions.reset_state, status=202, params=ResetParams, summary="Reset a server's state"),
    _action(CONSOLE_OUTPUT, ServerActions.console_output, params=ConsoleParams, view=OutputView,
            summary="Show a server's console log"),
)  # fmt: skip
