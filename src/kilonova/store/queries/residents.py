"""The servers that are on hosts, with what their hosts were chosen by: what a plan of moves is made from."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import and_, select

from kilonova.domain.allocation import AllocationRole
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.server import Lifecycle, PowerState
from kilonova.store.database import Tx
from kilonova.store.tables.compute import servers
from kilonova.store.tables.hosts import allocations, hosts
from kilonova.store.tables.server_specs import request_specs

_EVERY = (
    select(
        servers.c.id, servers.c.name, hosts.c.name.label("host"), servers.c.lifecycle, servers.c.saga,
        servers.c.power_state, allocations.c.vcpus, allocations.c.ram_mib, allocations.c.disk_gib, request_specs.c.scheduling,
    )
    .select_from(
        allocations.join(hosts, allocations.c.host_id == hosts.c.id)
        .join(servers, and_(allocations.c.server_id == servers.c.id, allocations.c.role == AllocationRole.CURRENT))
        .outerjoin(request_specs, request_specs.c.server_id == servers.c.id)
    )
    .order_by(servers.c.number)
)  # fmt: skip


class ResidentRow(NamedTuple):
    """A server on a host; `scheduling` None: a release before this one booted it and left no record of what it asked."""

    id: str
    name: str
    host: str
    lifecycle: Lifecycle
    saga: str | None  # at work on it
    power_state: PowerState
    vcpus: int
    ram_mib: int
    disk_gib: int
    scheduling: SchedulingRequest | None


def every(tx: Tx) -> list[ResidentRow]:
    """All of them, oldest first: an operator's view, in no tenant's scope."""
    return [
        ResidentRow._make(row)._replace(lifecycle=Lifecycle(row.lifecycle), power_state=PowerState(row.power_state))
        for row in tx.execute(_EVERY)
    ]
