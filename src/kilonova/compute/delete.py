"""
Delete a server: say so in its record, stop whatever saga is at work, and queue the delete saga behind it.

All of it is one transaction. A boot under way is told to stop, undoes what it did and ends; the kernel lets the queued delete
go then. Deleting twice is deleting once.
"""

from __future__ import annotations

from kilonova.compute.guard import refuse_locked
from kilonova.domain.boot import DeleteParams
from kilonova.domain.context import RequestContext
from kilonova.domain.saga import about_server
from kilonova.domain.server import Intent
from kilonova.domain.verbs import DELETE
from kilonova.rpc.messages import SagaReady
from kilonova.runtime import Runtime
from kilonova.store.queries import sagas, servers


class DeleteServer:
    """Writes down that a server is to be gone, and starts the saga that does it."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._bus, self._clock, self._ids = runtime.db, runtime.bus, runtime.clock, runtime.ids

    def __call__(self, ctx: RequestContext, server_id: str) -> None:
        """Accept the wish. Raises Missing (404) or Conflict (locked)."""
        now = self._clock.now()
        with self._database.write() as tx:
            server = servers.locked_for_edit(tx, ctx, server_id)
            refuse_locked(tx, ctx, server, DELETE)
            if server.intent is Intent.DELETED:
                return
            servers.edit(tx, server.id, now, intent=Intent.DELETED)
            subject = about_server(server.id)
            stopped = sagas.cancel_live(tx, subject, now)
            new = sagas.NewSaga(
                kind="delete", subject=subject, project_id=server.project_id, user_id=ctx.user_id,
                request_id=ctx.request_id, params=DeleteParams(),
            )  # fmt: skip
            started = sagas.start(tx, new, ids=self._ids, now=now)
            ready = SagaReady(saga_id=stopped or started, project_id=server.project_id, request_id=ctx.request_id)
            tx.after_commit(lambda: self._bus.cast("conductor", ready))
