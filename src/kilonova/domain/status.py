"""
What users see of a server, computed from stored facts by one pure function.

`vm_state` and `task_state` are Nova's words; `status` is the API's. Two tables say everything: which task a saga's step is, in
`verbs.py`, and which status a (vm_state, task_state) pair has. Nothing else in Kilonova decides a status.
"""

from __future__ import annotations

from typing import NamedTuple

from kilonova.domain.server import Intent, Lifecycle, PowerState, Server
from kilonova.domain.verbs import BY_SAGA

# (saga kind, step) -> task_state; a kind with step None covers all its other steps.
TASKS: dict[tuple[str, str | None], str] = {
    (saga, step): task for saga, verb in BY_SAGA.items() for step, task in verb.tasks.items()
}

# (vm_state, task_state) -> status; (vm_state, None) is the answer for every task not named.
STATUSES: dict[tuple[str, str | None], str] = {
    ("building", None): "BUILD",
    ("active", None): "ACTIVE",
    ("stopped", None): "SHUTOFF",
    ("paused", None): "PAUSED",
    ("suspended", None): "SUSPENDED",
    ("error", None): "ERROR",
    ("deleted", None): "DELETED",
}

_VM_STATE_BY_INTENT = {
    Intent.ACTIVE: "active",
    Intent.STOPPED: "stopped",
    Intent.PAUSED: "paused",
    Intent.SUSPENDED: "suspended",
    Intent.DELETED: "active",  # being deleted: what it was, with the task `deleting`
}


class Status(NamedTuple):
    """The three views of one fact."""

    status: str
    vm_state: str
    task_state: str | None
    power_state: PowerState


def vm_state_of(lifecycle: Lifecycle, intent: Intent, power_state: PowerState) -> str:
    """Nova's vm_state from the record's lifecycle, what was asked, and what the host last said."""
    if lifecycle is Lifecycle.BUILDING:
        return "building"
    if lifecycle is Lifecycle.FAILED:
        return "error"
    if lifecycle is Lifecycle.DELETED:
        return "deleted"
    if intent in (Intent.ACTIVE, Intent.DELETED) and power_state in (PowerState.SHUTDOWN, PowerState.CRASHED):
        return "stopped"
    return _VM_STATE_BY_INTENT[intent]


def task_of(saga: str | None, step: str | None) -> str | None:
    """Nova's task_state for the saga at work, None when there is none."""
    if saga is None:
        return None
    return TASKS.get((saga, step), TASKS.get((saga, None)))


def status_of(server: Server) -> Status:
    """The status, vm_state, task_state and power_state to show for `server`."""
    vm_state = vm_state_of(server.lifecycle, server.intent, server.power_state)
    task_state = task_of(server.saga, server.saga_step)
    status = STATUSES.get((vm_state, task_state), STATUSES[vm_state, None])
    return Status(status, vm_state, task_state, server.power_state)
