"""What surrounds hosts' own records, as columns: aggregates, groups, images, servers being built, builds that failed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.server_group import GroupRule
from kilonova.scheduler.columns import Ints, bits, coded
from kilonova.scheduler.fleet import ContextColumns, Group, Roster
from kilonova.store.queries.fleet import HostContext


def context_columns(roster: Roster, read: HostContext) -> ContextColumns:
    """The columns of what was read."""
    held: dict[str, tuple[Aggregate, ...]] = {}
    for aggregate in read.aggregates:
        for name in aggregate.hosts:
            held[name] = (*held.get(name, ()), aggregate)
    images: dict[str, list[int]] = {}
    for name, image_id in read.images:
        if name in roster.by_name:
            images.setdefault(image_id, []).append(roster.by_name[name])
    of_each = (held.get(name, ()) for name in roster.names)
    return ContextColumns(
        aggregates=coded((tuple(one.id for one in of_host), of_host) for of_host in of_each),
        images=bits(len(roster.ids), sorted(images.items())),
        building=_counted(roster, read.building),
        failures=_counted(roster, read.failures),
    )


def groups_of(
    roster: Roster, rules: Mapping[str, GroupRule], counters: Mapping[str, Mapping[str, int]]
) -> dict[str, Group]:
    """The groups by id, with the hosts that have servers of each."""
    found = {}
    for group_id, rule in rules.items():
        here = {roster.by_name[name]: n for name, n in counters.get(group_id, {}).items() if name in roster.by_name}
        places, counts = np.array(list(here), np.intp), np.array(list(here.values()), np.int64)
        found[group_id] = Group(rule.policy.value, places, counts, rule.max_per_host)
    return found


def _counted(roster: Roster, counts: Mapping[str, int]) -> Ints:
    column = np.zeros(len(roster.ids), np.int64)
    for name, count in counts.items():
        if name in roster.by_name:
            column[roster.by_name[name]] = count
    return column
