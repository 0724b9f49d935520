"""A server's metadata: what its owner writes beside it, and its guest may read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kilonova.compute.guard import refuse_locked, refuse_state
from kilonova.compute.guest_data import guest_data_changed
from kilonova.compute.quota_checks import check_metadata
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing
from kilonova.domain.verbs import WRITE_METADATA
from kilonova.runtime import Runtime
from kilonova.store.queries import quotas, servers


class EditMetadata:
    """Edits a server's metadata. Each raises Missing, Conflict (locked, or not in a state for it) or OverQuota."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._bus, self._clock = runtime.db, runtime.bus, runtime.clock

    def merge(self, ctx: RequestContext, server_id: str, items: Mapping[str, str]) -> dict[str, str]:
        """Add items, or replace those of the same keys. Returns them all."""
        return self._edit(ctx, server_id, lambda now: {**now, **items})

    def replace(self, ctx: RequestContext, server_id: str, items: Mapping[str, str]) -> dict[str, str]:
        """Put these in place of all. Returns them."""
        return self._edit(ctx, server_id, lambda _: dict(items))

    def drop(self, ctx: RequestContext, server_id: str, key: str) -> None:
        """Take one away."""

        def without(items: dict[str, str]) -> dict[str, str]:
            if key not in items:
                raise Missing("Metadata item", key[:255])
            return {name: value for name, value in items.items() if name != key}

        self._edit(ctx, server_id, without)

    def _edit(
        self, ctx: RequestContext, server_id: str, change: Callable[[dict[str, str]], dict[str, str]]
    ) -> dict[str, str]:
        with self._database.write() as tx:
            server = servers.locked_for_edit(tx, ctx, server_id)
            refuse_locked(tx, ctx, server, WRITE_METADATA)
            items = change(server.metadata)
            refuse_state(server, WRITE_METADATA)
            check_metadata(len(items), quotas.limits(tx, server.project_id, server.user_id))
            servers.edit(tx, server.id, self._clock.now(), metadata=items)
            guest_data_changed(tx, self._bus, server.id)
        return items
