"""A server's tags: words to find it by."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kilonova.compute.guard import refuse_state
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.server import Server
from kilonova.domain.verbs import WRITE_TAGS
from kilonova.runtime import Runtime
from kilonova.store.queries import servers

MAX_TAGS = 50


class EditTags:
    """Edits a server's tags. Each raises Missing, or Conflict when the server is not in a state for it."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._clock = runtime.db, runtime.clock

    def replace(self, ctx: RequestContext, server_id: str, tags: Iterable[str]) -> tuple[str, ...]:
        """Put these in place of all. Returns them, each once."""
        wanted = tuple(dict.fromkeys(tags))
        self._edit(ctx, server_id, lambda _: wanted)
        return wanted

    def add(self, ctx: RequestContext, server_id: str, tag: str) -> bool:
        """Add one; False when it was there. Raises Rejected when the server has as many as it may."""

        def with_tag(server: Server) -> tuple[str, ...]:
            if tag not in server.tags and len(server.tags) >= MAX_TAGS:
                raise Rejected(f"The number of tags exceeded the per-server limit {MAX_TAGS}")
            return tuple(dict.fromkeys((*server.tags, tag)))

        return tag not in self._edit(ctx, server_id, with_tag).tags

    def drop(self, ctx: RequestContext, server_id: str, tag: str) -> None:
        """Take one away."""

        def without(server: Server) -> tuple[str, ...]:
            if tag not in server.tags:
                raise Missing(f"Tag of server {server.id}", tag[:60])
            return tuple(held for held in server.tags if held != tag)

        self._edit(ctx, server_id, without)

    def _edit(self, ctx: RequestContext, server_id: str, change: Callable[[Server], tuple[str, ...]]) -> Server:
        """Change the tags; gives the server as it was."""
        with self._database.write() as tx:
            server = servers.locked_for_edit(tx, ctx, server_id)
            refuse_state(server, WRITE_TAGS)
            tags = change(server)
            if tags != server.tags:
                servers.edit(tx, server.id, self._clock.now(), tags=tags)
        return server
