"""
Folding what hosts say into the records.

A host's word is a fact, and facts alone are written here; what ought to be done about them is the reconcilers'
business. One judgement cannot be left to them, because it needs the event itself: a guest that stopped while its host
ran stopped by its own will (somebody typed `poweroff` in it), so its intent follows; a guest that is down because its
host was restarted is still wanted.

So a guest stopped by its own will only if it is known to have run in the same run of its host. What a host says may come late
and in any order; it therefore says in which run of its own (`boot_id`) it saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kilonova.domain.report import Observed, Outcome
from kilonova.domain.server import Intent, Lifecycle, PowerState, Server
from kilonova.rpc.messages import Report
from kilonova.store.database import Tx
from kilonova.store.queries import guest_data, hosts, server_facts

_DOWN = (PowerState.SHUTDOWN, PowerState.CRASHED)
_UP = (PowerState.RUNNING, PowerState.PAUSED, PowerState.SUSPENDED)
_INTENT_OF = {
    PowerState.RUNNING: Intent.ACTIVE,
    PowerState.PAUSED: Intent.PAUSED,
    PowerState.SUSPENDED: Intent.SUSPENDED,
    PowerState.SHUTDOWN: Intent.STOPPED,
    PowerState.CRASHED: Intent.STOPPED,
}


def fold_observation(tx: Tx, host: str, seen: Observed, now: datetime) -> bool:
    """One machine changed its power state by itself. Returns whether the record changed."""
    server = server_facts.some(tx, [seen.server_id]).get(seen.server_id)
    if server is None or not _is_settled(server, host):
        return False
    return _fold(tx, server, seen.power_state, now, by_host_restart=False)


def fold_host(tx: Tx, host: str, observed: Sequence[Observed], now: datetime, *, was_restarted: bool) -> int:
    """All that runs on a host. A server of the host's that is not among them is not there. Returns how many records changed."""
    states = {seen.server_id: seen.power_state for seen in observed}
    changed = 0
    for server in server_facts.on_host(tx, host):
        if _is_settled(server, host):
            state = states.get(server.id, PowerState.NOSTATE)
            changed += _fold(tx, server, state, now, by_host_restart=was_restarted)
    return changed


def fold_outcome(tx: Tx, report: Report, now: datetime) -> None:
    """The end of a command that no saga waits for: a reconciler sent it. From a host that the server has left, it is nothing."""
    server, outcome = server_facts.some(tx, [report.subject.id]).get(report.subject.id), report.outcome
    if server is None or not _is_settled(server, report.host) or server.generation != report.generation:
        return
    if outcome.fault is None:
        guest_data.confirmed(tx, server.id, report.generation)
    state = PowerState.NOSTATE if outcome.power_state is None else state_after(tx, server.host, outcome)
    if outcome.fault is None and state is not PowerState.NOSTATE:
        server_facts.observe_power(tx, server.id, state, server.intent, now)


def state_after(tx: Tx, host: str | None, outcome: Outcome) -> PowerState:
    """The power state that a command left its server in; NOSTATE, not known, when the host was restarted since."""
    if host is None or not hosts.runs_as(tx, host, outcome.boot_id):
        return PowerState.NOSTATE
    return outcome.power_state or PowerState.RUNNING


def strays(tx: Tx, host: str, observed: Sequence[Observed]) -> list[Server]:
    """
    Machines on a host that should not be there: of servers at rest that have no allocation on it, deleted ones among them.

    A server that moves has one on either host, so its source machine is kept until it is let go. A machine without a record is
    nobody's to remove: it is left, and the audit counts it.
    """
    known = server_facts.some(tx, [seen.server_id for seen in observed])
    allocated = hosts.allocated_on(tx, host, list(known)) if known else frozenset()
    return [server for server in known.values() if server.saga is None and server.id not in allocated]


def _is_settled(server: Server, host: str) -> bool:
    """Whether a host's word about the server counts: it lives there, and no saga is changing it."""
    return server.lifecycle is Lifecycle.BUILT and server.host == host and server.saga is None


def _fold(tx: Tx, server: Server, state: PowerState, now: datetime, *, by_host_restart: bool) -> bool:
    if state is server.power_state:
        return False
    intent = server.intent
    if not by_host_restart and state in _INTENT_OF and (state not in _DOWN or server.power_state in _UP):
        intent = _INTENT_OF[state]
    server_facts.observe_power(tx, server.id, state, intent, now)
    return True
