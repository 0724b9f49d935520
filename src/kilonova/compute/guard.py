"""What must hold before a server is changed."""

from __future__ import annotations

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict
from kilonova.domain.server import Server
from kilonova.domain.status import status_of


def refuse_locked(ctx: RequestContext, server: Server) -> None:
    """Raise Conflict for a locked server, unless the caller is an administrator."""
    if server.locked and not ctx.is_admin:
        raise Conflict(f"Instance {server.id} is locked", next_step="Unlock it first.")


def refuse_state(server: Server, verb: str, allowed: frozenset[str]) -> None:
    """Raise Conflict, in Nova's words, unless the server's vm_state is one of `allowed`."""
    vm_state = status_of(server).vm_state
    if vm_state not in allowed:
        raise Conflict(f"Cannot '{verb}' instance {server.id} while it is in vm_state {vm_state}")
