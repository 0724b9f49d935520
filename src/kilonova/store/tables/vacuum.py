"""How PostgreSQL looks after tables whose rows change all the time: sooner than after a fifth of them, which is its default."""

from __future__ import annotations

from sqlalchemy import DDL, event

from kilonova.store.tables.base import metadata

HOT = (
    "claims", "counters", "fixed_ips", "hosts", "network_changes", "port_security_groups", "ports", "quota_usage",
    "saga_events", "saga_stages", "sagas", "servers", "services",
)  # fmt: skip
_SETTINGS = (
    "autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05"
)

for _name in HOT:
    _sooner = DDL(f"ALTER TABLE {_name} SET ({_SETTINGS})")  # type: ignore[no-untyped-call]
    event.listen(metadata.tables[_name], "after_create", _sooner.execute_if(dialect="postgresql"))
