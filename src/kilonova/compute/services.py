"""Enable, disable and force down services; delete those that are gone for good."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from kilonova.domain.errors import Conflict, Rejected
from kilonova.domain.host import ServiceRecord
from kilonova.rpc.messages import FleetChanged
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import host_access, hosts, servers, services


class ServiceChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to change; None stays. Enabling forgets the reason."""

    disabled: bool | None = None
    reason: str | None = None
    forced_down: bool | None = None


class SwitchServices:
    """Disables, enables, forces down and deletes services. Only operators get here."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._bus, self._clock = runtime.db, runtime.bus, runtime.clock

    def by_id(self, ident: str, change: ServiceChange) -> ServiceRecord:
        """Change a service. Raises Missing or Rejected. Returns it as it is now."""
        with self._database.write() as tx:
            found = services.get(tx, ident)
            self._switch(tx, found, change)
            return services.get(tx, ident)

    def by_name(self, host: str, binary: str, change: ServiceChange) -> ServiceRecord:
        """Change the service of a host. Raises Missing or Rejected. Returns it as it is now."""
        with self._database.write() as tx:
            self._switch(tx, services.named(tx, host, binary), change)
            return services.named(tx, host, binary)

    def delete(self, ident: str) -> None:
        """Delete a service. Raises Missing, or Conflict while its host has servers."""
        with self._database.write() as tx:
            found = services.get(tx, ident)
            if found.binary == services.COMPUTE:
                self._let_host_go(tx, found.host)
            services.remove(tx, found)
            self._tell_schedulers(tx)

    def _let_host_go(self, tx: Tx, host: str) -> None:
        known = hosts.lock(tx, host)
        if servers.on_hosts(tx, [host])[host] or (known is not None and known.servers):
            raise Conflict(
                f"Unable to delete compute service that is hosting instances: host {host}.",
                next_step="Migrate or delete its servers first.",
            )
        host_access.revoke(tx, host, self._clock.now())

    def _switch(self, tx: Tx, found: ServiceRecord, change: ServiceChange) -> None:
        if change.forced_down is not None and found.binary != services.COMPUTE:
            raise Rejected(
                f"Updating a {found.binary} service is not supported. Only nova-compute services can be updated."
            )
        services.switch(tx, found, **_values(change, self._clock.now()))
        self._tell_schedulers(tx)

    def _tell_schedulers(self, tx: Tx) -> None:
        tx.after_commit(lambda: self._bus.fanout("scheduler", FleetChanged()))


def _values(change: ServiceChange, now: datetime) -> dict[str, Any]:
    values: dict[str, Any] = {"updated_at": now}
    if change.disabled is not None:
        values |= {"disabled": change.disabled, "disabled_reason": change.reason if change.disabled else None}
    if change.forced_down is not None:
        values["forced_down"] = change.forced_down
    return values
