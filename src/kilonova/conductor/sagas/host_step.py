"""What every step that waits for a host does when the host is silent."""

from __future__ import annotations

from datetime import datetime

from kilonova.conductor.kernel.definition import Failure, ParamsT, Run, Step, StepFailed
from kilonova.domain.host import is_alive
from kilonova.domain.report import Outcome
from kilonova.store.database import Tx
from kilonova.store.queries import hosts

GIVE_UP_S = 1800.0  # an alive host that has not finished a command by then never will


class HostStep(Step[ParamsT, Outcome]):
    """A step that a host carries out. Its result is the host's `Outcome`."""

    result = Outcome

    def silence(self, tx: Tx, run: Run[ParamsT], waited_s: float) -> None:
        """Give up on a host that is down, or that has worked for GIVE_UP_S; another may be tried."""
        host = run.saga.awaited_host
        if host is not None and not host_is_alive(tx, host, run.now):
            raise StepFailed(Failure(message=f"Host {host} stopped answering.", elsewhere=True, host=host))
        if waited_s > GIVE_UP_S:
            message = f"Host {host} did not finish within {GIVE_UP_S:.0f} seconds."
            raise StepFailed(Failure(message=message, elsewhere=True, host=host))

    def undo_is_done(self, tx: Tx, run: Run[ParamsT], outcome: Outcome | None, waited_s: float) -> bool:
        """
        The host has removed it; or the host is down, and will be told to when it comes back.

        (The host asks for its state when it starts, and is told what is gone.)
        """
        if outcome is not None:
            return outcome.fault is None
        host = run.saga.awaited_host
        return host is not None and not host_is_alive(tx, host, run.now)


def host_is_alive(tx: Tx, name: str, now: datetime) -> bool:
    """Whether a host's agent has been heard of lately."""
    host = hosts.by_name(tx, name)
    return host is not None and is_alive(host.seen_at, now, forced_down=host.forced_down)
