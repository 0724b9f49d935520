"""A plan from the records: the fleet as a scheduler reads it, and who is on it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec

from kilonova.domain.boot import BootParams, SchedulingRequest
from kilonova.domain.clock import Clock
from kilonova.domain.host import Host
from kilonova.domain.server import Lifecycle, PowerState
from kilonova.rebalance.model import Goal, Plan, PlanLimits, Resident
from kilonova.rebalance.plan import plan_moves
from kilonova.scheduler.fleet import Fleet, fleet_of
from kilonova.scheduler.host_context import context_columns, groups_of
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import fleet as fleet_queries
from kilonova.store.queries import hosts, providers, residents

_LATELY = timedelta(minutes=10)
_PARAMS = msgspec.json.Decoder(BootParams)


class Rebalancing:
    """Plans moves from the records. Raises Rejected when the scheduler's settings name filters that are not there."""

    def __init__(self, database: Database, clock: Clock, settings: SchedulerSettings) -> None:
        self._database, self._clock, self._profile = database, clock, profile_of(settings)

    def plan(self, goal: Goal, limits: PlanLimits) -> Plan:
        """What should be moved now. Nothing is written and no host is asked."""
        with self._database.read() as tx:
            context = fleet_queries.host_context(tx, self._clock.now() - _LATELY)
            fleet = self._fleet(context, hosts.every(tx), providers.said_traits(tx))
            there = [_resident(row) for row in residents.every(tx)]
        return plan_moves(fleet, there, self._profile, goal, limits)

    def _fleet(self, context: fleet_queries.HostContext, every: list[Host], said: dict[str, list[str]]) -> Fleet:
        fleet = fleet_of(every, self._clock.now(), said=said)
        groups = groups_of(fleet.roster, context.groups, context.in_groups)
        return replace(fleet, context=context_columns(fleet.roster, context), groups=groups)


def _resident(row: residents.ResidentRow) -> Resident:
    request = row.scheduling or SchedulingRequest(server_id=row.id, project_id="", vcpus=0, ram_mib=0, disk_gib=0)
    claimed = msgspec.structs.replace(request, vcpus=row.vcpus, ram_mib=row.ram_mib, disk_gib=row.disk_gib)
    return Resident(server_id=row.id, name=row.name, host=row.host, request=claimed, fixed=_why_fixed(row))


def _why_fixed(row: residents.ResidentRow) -> str:
    if row.lifecycle is not Lifecycle.BUILT or row.saga is not None:
        return "being worked on, or failed"
    if row.power_state is not PowerState.RUNNING:
        return "not running"
    return "" if row.scheduling is not None else "how it was placed is not on record"
