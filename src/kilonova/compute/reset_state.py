"""An operator's repair: declare a server active or in error, whatever its record says."""

from __future__ import annotations

from kilonova.compute.guard import refuse_state
from kilonova.domain.context import RequestContext
from kilonova.domain.server import Fault, Intent, Lifecycle
from kilonova.domain.verbs import RESET_STATE
from kilonova.runtime import Runtime
from kilonova.store.queries import servers

_BY_OPERATOR = "An operator declared this server to be in error."


class ResetState:
    """Sets a server's state by hand."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._clock = runtime.db, runtime.clock

    def __call__(self, ctx: RequestContext, server_id: str, state: str) -> None:
        """
        Set the state, `active` or `error`. Raises Missing, or Conflict while something is at work on the server.

        Nothing can get stuck here that this would have to cut loose: work either ends or is taken up by another conductor.
        """
        now = self._clock.now()
        with self._database.write() as tx:
            server = servers.locked_for_edit(tx, ctx, server_id)
            refuse_state(server, RESET_STATE)
            if state == "error":
                fault = server.fault or Fault(code=500, message=_BY_OPERATOR, created_at=now)
                servers.edit(tx, server.id, now, lifecycle=Lifecycle.FAILED, fault=fault)
            else:
                servers.edit(tx, server.id, now, lifecycle=Lifecycle.BUILT, intent=Intent.ACTIVE, fault=None)
