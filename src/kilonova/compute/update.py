"""Change a server's record: name, description, host name, access addresses, disk configuration, pinned zone."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from kilonova.compute.guest_data import guest_data_changed
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict
from kilonova.domain.server import Server
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import hosts_view, servers

_COLUMNS = ("name", "description", "hostname", "access_ip_v4", "access_ip_v6", "disk_config")
_TOLD_TO_THE_GUEST = frozenset({"name", "hostname"})


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; UNSET stays. An empty address is none."""

    name: Any = UNSET
    description: Any = UNSET
    hostname: Any = UNSET
    access_ip_v4: Any = UNSET
    access_ip_v6: Any = UNSET
    disk_config: Any = UNSET
    pinned_availability_zone: Any = UNSET


class UpdateServerRecord:
    """Changes what a user may change of a server's record, and has its guest told."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._bus, self._clock = runtime.db, runtime.bus, runtime.clock

    def __call__(self, ctx: RequestContext, server_id: str, changes: Changes) -> None:
        """Write the changes. Raises Missing, or Conflict for a zone it cannot be pinned to."""
        values = {name: value for name in _COLUMNS if (value := getattr(changes, name)) is not UNSET}
        for name in ("access_ip_v4", "access_ip_v6"):
            if name in values:
                values[name] = values[name] or None
        now = self._clock.now()
        with self._database.write() as tx:
            server = servers.locked_for_edit(tx, ctx, server_id)
            if changes.pinned_availability_zone is not UNSET:
                values["availability_zone"] = _pin(tx, server, changes.pinned_availability_zone)
            if not values:
                return
            servers.edit(tx, server.id, now, **values)
            if _TOLD_TO_THE_GUEST & values.keys():
                guest_data_changed(tx, self._bus, server.id)


def _pin(tx: Tx, server: Server, zone: str | None) -> str | None:
    """The zone to pin to: None, or the one its host is in."""
    current = server.zone or hosts_view.zones(tx).get(server.host or "")
    if zone is not None and zone != current:
        raise Conflict(
            f"Cannot pin instance {server.id} to availability zone {zone}: it is in {current or 'none yet'}.",
            next_step="Unpin it with null, or pin it to the zone it is in.",
        )
    return zone
