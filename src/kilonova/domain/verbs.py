"""
Every verb of a server, in one table: who may, from which states, past which lock, by which saga, and what it leads to.

Everything else reads it: the API's routes take their policy from it, `compute/guard.py` checks by it, `domain/status.py` shows
what is under way by it, a server's timeline names its actions by it, and docs/verbs.md is written from it. A new verb is a line
here, a use case, a saga if it takes more than a transaction, and what the host must do.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

AT_REST: frozenset[str | None] = frozenset({None})
_WRITABLE = frozenset({"active", "paused", "suspended", "stopped"})


class Verb(msgspec.Struct, frozen=True, kw_only=True):
    """
    One verb.

    `vm_states` None: from any state; `task_states` None: whatever is under way. `refused_on_locked`: only those whom policy gives
    the right to override may do it to a locked server. `saga`: the kind that does it; None: it is over with its transaction.
    `tasks`: the task_state that is shown at each step of that saga; step None stands for every step not named. `result`: the
    vm_state it leads to; None: it changes none.
    """

    name: str  # as a server's timeline calls it
    policy: str
    action: str | None = None  # the key of POST /servers/{id}/action; None: it has a route of its own
    since: str = "2.1"
    until: str | None = None
    vm_states: frozenset[str] | None = None
    task_states: frozenset[str | None] | None = AT_REST
    refused_on_locked: bool = False
    saga: str | None = None
    tasks: Mapping[str | None, str] = {}
    result: str | None = None
    doing: str = ""  # in refusals: Cannot '…' instance; the name unless given

    @property
    def in_words(self) -> str:
        """What a refusal calls it."""
        return self.doing or self.name


CREATE = Verb(
    name="create", policy="os_compute_api:servers:create", vm_states=frozenset(), saga="boot",
    tasks={
        None: "scheduling", "place": "scheduling", "network": "networking", "block_devices": "block_device_mapping",
        "spawn": "spawning", "activate": "spawning",
    },
    result="active",
)  # fmt: skip
DELETE = Verb(
    name="delete", policy="os_compute_api:servers:delete", task_states=None, refused_on_locked=True, saga="delete",
    tasks={None: "deleting"}, result="deleted",
)  # fmt: skip
LOCK = Verb(name="lock", policy="os_compute_api:os-lock-server:lock", action="lock", task_states=None)
UNLOCK = Verb(name="unlock", policy="os_compute_api:os-lock-server:unlock", action="unlock", task_states=None)
RESET_STATE = Verb(
    name="resetState", policy="os_compute_api:os-admin-actions:reset_state", action="os-resetState", result="active",
    doing="reset the state of",
)  # fmt: skip
CONSOLE_OUTPUT = Verb(
    name="getConsoleOutput", policy="os_compute_api:os-console-output", action="os-getConsoleOutput", task_states=None
)
WRITE_METADATA = Verb(
    name="updateMetadata", policy="os_compute_api:server-metadata:update", vm_states=_WRITABLE, task_states=None,
    refused_on_locked=True, doing="update metadata",
)  # fmt: skip
WRITE_TAGS = Verb(
    name="updateTags", policy="os_compute_api:os-server-tags:update", since="2.26", vm_states=_WRITABLE, task_states=None,
    doing="update tags",
)  # fmt: skip

VERBS = (CREATE, DELETE, LOCK, UNLOCK, RESET_STATE, CONSOLE_OUTPUT, WRITE_METADATA, WRITE_TAGS)
BY_SAGA: Mapping[str, Verb] = {verb.saga: verb for verb in VERBS if verb.saga is not None}
