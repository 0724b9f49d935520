"""
Lock a server against changes, and unlock it.

Who locked it is known from its timeline. What was locked from outside its project (by an operator) stays locked for its owner,
unless policy gives him the right to override.
"""

from __future__ import annotations

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied
from kilonova.domain.server import Server
from kilonova.domain.verbs import LOCK, UNLOCK
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import servers


class LockServer:
    """Locks and unlocks servers."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._clock, self._ids = runtime.db, runtime.clock, runtime.ids

    def lock(self, ctx: RequestContext, server_id: str, reason: str | None = None) -> None:
        """Lock it. An operator's lock is not taken over by its owner's. Raises Missing."""
        with self._database.write() as tx:
            server = servers.locked_for_edit(tx, ctx, server_id)
            if not (ctx.project_id == server.project_id and _is_locked_from_outside(tx, server)):
                self._set(tx, ctx, server, locked=True, reason=reason)

    def unlock(self, ctx: RequestContext, server_id: str, *, may_override: bool) -> None:
        """Unlock it. Raises Missing, or Denied for an operator's lock unless `may_override`."""
        with self._database.write() as tx:
            server = servers.locked_for_edit(tx, ctx, server_id)
            if _is_locked_from_outside(tx, server) and not may_override:
                raise Denied(f"Instance {server.id} was locked by an administrator.")
            self._set(tx, ctx, server, locked=False, reason=None)

    def _set(self, tx: Tx, ctx: RequestContext, server: Server, *, locked: bool, reason: str | None) -> None:
        now = self._clock.now()
        servers.edit(tx, server.id, now, locked=locked, locked_reason=reason)
        verb = LOCK if locked else UNLOCK
        servers.note_action(tx, ctx, server.id, ident=self._ids.uuid(), action=verb.name, now=now)


def _is_locked_from_outside(tx: Tx, server: Server) -> bool:
    if not server.locked:
        return False
    told = servers.last_noted(tx, server.id, LOCK.name)
    return told is None or told.project_id != server.project_id
