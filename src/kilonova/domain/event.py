"""What became of a server, in the words of Nova's notifications."""

from __future__ import annotations

from datetime import datetime

import msgspec

from kilonova.domain.server import Intent, Lifecycle, PowerState
from kilonova.domain.status import task_of, vm_state_of


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """What an event says of a server, as the records have it."""

    name: str
    lifecycle: Lifecycle
    intent: Intent
    power_state: PowerState
    saga: str | None = None
    saga_step: str | None = None

    @property
    def vm_state(self) -> str:
        """Nova's."""
        return vm_state_of(self.lifecycle, self.intent, self.power_state)

    @property
    def task_state(self) -> str | None:
        """Nova's."""
        return task_of(self.saga, self.saga_step)


class ServerEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One change. `number` is its place in the order of all; `was` None: the server is new."""

    number: int
    at: datetime
    server_id: str
    project_id: str
    was: ServerState | None
    now: ServerState

    @property
    def event_type(self) -> str:
        """`instance.create.start`, `.end`, `.error`, `instance.delete.start`, `.end`, or `instance.update`."""
        was, now = self.was, self.now
        if was is None:
            return "instance.create.start"
        if was.lifecycle is not now.lifecycle and now.lifecycle in _ENDS:
            return _ENDS[now.lifecycle]
        if was.saga != "delete" and now.saga == "delete":
            return "instance.delete.start"
        return "instance.update"


_ENDS = {
    Lifecycle.BUILT: "instance.create.end",
    Lifecycle.FAILED: "instance.create.error",
    Lifecycle.DELETED: "instance.delete.end",
}
