"""
Servers that scheduler hints name: they must be ones that their caller can see.

Where servers are is asked when one is placed, by the ids that were found here: a stranger's id would tell, by where the new
server goes or by its finding no host, which servers of others share a host.
"""

from __future__ import annotations

from collections.abc import Mapping

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Rejected
from kilonova.store.database import Tx
from kilonova.store.queries import servers

MOST = 1000
_HINTS = ("same_host", "different_host")


def check_hints(tx: Tx, ctx: RequestContext, hints: Mapping[str, str | list[str]], *, sees_all: bool = False) -> None:
    """See that servers which hints name are there, and the caller's (with `sees_all`: anybody's). Raises Rejected."""
    named = [(hint, ident) for hint in _HINTS for ident in _ids(hints.get(hint, []))]
    if not named:
        return
    if len(named) > MOST:
        raise Rejected(f"The hints name {len(named)} servers, and {MOST} are the most.")
    scope = ctx.across_projects() if sees_all or ctx.is_admin else ctx
    found = servers.those_of(tx, scope, {ident for _, ident in named})
    for hint, ident in named:
        if ident not in found:
            raise Rejected(
                f"The hint {hint} names server {ident[:64]}, which is not one you can see.",
                next_step="See your servers with GET /servers.",
            )


def _ids(named: str | list[str]) -> list[str]:
    return [named] if isinstance(named, str) else named
