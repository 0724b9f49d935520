"""
A server's vm_state, task_state and status as SQL, for filters and sorting.

Nothing is decided here: the expressions are made from `domain/status.py` by asking its functions about every combination of
facts there is. A status that the domain learns to compute can be filtered by without a change here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import product

from sqlalchemy import ColumnElement, and_, case, false, literal, or_, true

from kilonova.domain.server import Intent, Lifecycle, PowerState
from kilonova.domain.status import STATUSES, TASKS, vm_state_of
from kilonova.store.tables.compute import servers


@cache
def vm_state() -> ColumnElement[str]:
    """Nova's vm_state of a row."""
    by_state: dict[str, list[ColumnElement[bool]]] = {}
    for lifecycle in Lifecycle:
        pairs = {pair: vm_state_of(lifecycle, *pair) for pair in product(Intent, PowerState)}
        for state in sorted(set(pairs.values())):
            facts = _facts({pair for pair, found in pairs.items() if found == state}, len(pairs))
            by_state.setdefault(state, []).append(and_(servers.c.lifecycle == lifecycle, facts))
    return case(*((or_(*conditions), literal(state)) for state, conditions in by_state.items()))


def _facts(pairs: set[tuple[Intent, PowerState]], of: int) -> ColumnElement[bool]:
    """A condition on (intent, power_state); true where every pair there is belongs to the state."""
    if len(pairs) == of:
        return true()
    by_powers: dict[frozenset[PowerState], list[Intent]] = {}
    for intent in Intent:
        powers = frozenset(power for found, power in pairs if found is intent)
        if powers:
            by_powers.setdefault(powers, []).append(intent)
    return or_(
        *(
            and_(servers.c.intent.in_(intents), servers.c.power_state.in_(sorted(powers)))
            for powers, intents in by_powers.items()
        )
    )


@cache
def task_state() -> ColumnElement[str | None]:
    """Nova's task_state of a row; NULL when nothing is at work."""
    exact = [
        (and_(servers.c.saga == kind, servers.c.saga_step == step), literal(task))
        for (kind, step), task in TASKS.items()
        if step is not None
    ]
    general = [(servers.c.saga == kind, literal(task)) for (kind, step), task in TASKS.items() if step is None]
    return case(*exact, *general)


def with_status(statuses: Iterable[str]) -> ColumnElement[bool]:
    """Rows whose computed status is one of `statuses`."""
    wanted = set(statuses)
    return or_(false(), *(_in_status(vm, wanted) for vm in sorted({vm for vm, _ in STATUSES})))


def _in_status(vm: str, wanted: set[str]) -> ColumnElement[bool]:
    tasks = {task: status for (of, task), status in STATUSES.items() if of == vm and task is not None}
    yes = sorted(task for task, status in tasks.items() if status in wanted)
    no = sorted(task for task, status in tasks.items() if status not in wanted)
    if STATUSES[vm, None] in wanted:
        other = or_(task_state().is_(None), task_state().not_in(no)) if no else true()
        return and_(vm_state() == vm, other)
    return and_(vm_state() == vm, task_state().in_(yes)) if yes else false()
