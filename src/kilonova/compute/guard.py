"""What must hold before a server is changed: the rules of `domain/verbs.py`, and no others."""

from __future__ import annotations

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict
from kilonova.domain.server import Server
from kilonova.domain.status import status_of
from kilonova.domain.verbs import LOCK, Verb
from kilonova.store.database import Tx
from kilonova.store.queries import servers


def refuse_locked(tx: Tx, ctx: RequestContext, server: Server, verb: Verb) -> None:
    """Raise Conflict when the server is locked against this verb, and say who locked it since when."""
    if not verb.refused_on_locked or not server.locked or ctx.is_admin:
        return
    told = servers.last_noted(tx, server.id, LOCK.name)
    by = "" if told is None else f" It was locked by user {told.user_id} at {told.at:%Y-%m-%dT%H:%M:%SZ}."
    raise Conflict(f"Instance {server.id} is locked.{by}", next_step="Unlock it first.")


def refuse_state(server: Server, verb: Verb) -> None:
    """Raise Conflict unless the server is in a state that the verb may begin from, and say in which it may."""
    status = status_of(server)
    if verb.vm_states is not None and status.vm_state not in verb.vm_states:
        raise Conflict(
            f"Cannot '{verb.in_words}' instance {server.id} while it is in vm_state {status.vm_state}",
            next_step=f"It would work in vm_state {_either(sorted(verb.vm_states))}.",
        )
    if verb.task_states is not None and status.task_state not in verb.task_states:
        raise Conflict(
            f"Cannot '{verb.in_words}' instance {server.id} while it is in task_state {status.task_state}",
            next_step="Wait until that is over, or delete the server.",
        )


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))
