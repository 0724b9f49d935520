"""Actions that are over when they are answered: lock, unlock, reset the state, read the console log."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET

from kilonova.api.compute.common import scope
from kilonova.api.framework import Maybe, Meta, Params, Query, Request, Route, View, reads, since, until
from kilonova.api.framework.types import IntLike
from kilonova.compute.console import ReadConsole
from kilonova.compute.lock import LockServer
from kilonova.compute.reset_state import ResetState

_LOCK = "os_compute_api:os-lock-server"
_RESET = "os_compute_api:os-admin-actions:reset_state"
_CONSOLE = "os_compute_api:os-console-output"


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
        self._lock.lock(scope(req, f"{_LOCK}:lock"), req.path["server_id"])

    def lock_with_reason(self, req: Request[LockParams | None, Query]) -> None:
        """Lock it, and keep the reason."""
        reason = req.params.locked_reason if req.params else None
        self._lock.lock(scope(req, f"{_LOCK}:lock"), req.path["server_id"], reason)

    def unlock(self, req: Request[Any, Query]) -> None:
        """Unlock it."""
        may_override = req.can(f"{_LOCK}:unlock:unlock_override")
        self._lock.unlock(scope(req, f"{_LOCK}:unlock"), req.path["server_id"], may_override=may_override)

    def reset_state(self, req: Request[ResetParams, Query]) -> None:
        """Declare it active or in error."""
        self._reset(scope(req, _RESET), req.path["server_id"], req.params.state)

    def console_output(self, req: Request[ConsoleParams, Query]) -> OutputView:
        """The end of its console log."""
        sent = req.params.length
        lines = None if sent is UNSET or sent is None or sent < 0 else sent
        return OutputView(output=self._console(scope(req, _CONSOLE), req.path["server_id"], lines))


_PATH = "/servers/{server_id}/action"

ROUTES = (
    Route("POST", _PATH, ServerActions.lock, action="lock", versions=until("2.72"), status=202, policy=f"{_LOCK}:lock",
          params=Any, summary="Lock a server"),
    Route("POST", _PATH, ServerActions.lock_with_reason, action="lock", versions=since("2.73"), status=202,
          policy=f"{_LOCK}:lock", params=LockParams | None, summary="Lock a server"),
    Route("POST", _PATH, ServerActions.unlock, action="unlock", status=202, policy=f"{_LOCK}:unlock", params=Any,
          summary="Unlock a server"),
    Route("POST", _PATH, ServerActions.reset_state, action="os-resetState", status=202, policy=_RESET, params=ResetParams,
          summary="Reset a server's state"),
    Route("POST", _PATH, ServerActions.console_output, action="os-getConsoleOutput", policy=_CONSOLE, params=ConsoleParams,
          view=OutputView, summary="Show a server's console log"),
)  # fmt: skip
