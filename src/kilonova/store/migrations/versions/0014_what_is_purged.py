"""Indexes by which what is over is found and removed, and a quicker autovacuum on PostgreSQL's hot tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OVER = "finished_at IS NOT NULL AND kind != 'boot'"
_HOT = (
    "claims", "counters", "fixed_ips", "hosts", "network_changes", "port_security_groups", "ports", "quota_usage",
    "saga_events", "saga_stages", "sagas", "servers", "services",
)  # fmt: skip
_SETTINGS = {
    "autovacuum_vacuum_scale_factor": "0.02",
    "autovacuum_vacuum_threshold": "1000",
    "autovacuum_analyze_scale_factor": "0.05",
}


def upgrade() -> None:
    for name, table, column, where in (
        ("ix_servers_deleted", "servers", "deleted_at", "deleted_at IS NOT NULL"),
        ("ix_images_deleted", "images", "deleted_at", "deleted_at IS NOT NULL"),
        ("ix_sagas_ended", "sagas", "finished_at", _OVER),
    ):
        op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("ix_server_actions_at", "server_actions", ["at"])
    _on_hot_tables("SET (" + ", ".join(f"{key} = {value}" for key, value in _SETTINGS.items()) + ")")


def downgrade() -> None:
    _on_hot_tables("RESET (" + ", ".join(_SETTINGS) + ")")
    op.drop_index("ix_server_actions_at", "server_actions")
    op.drop_index("ix_sagas_ended", "sagas")
    op.drop_index("ix_images_deleted", "images")
    op.drop_index("ix_servers_deleted", "servers")


def _on_hot_tables(what: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in _HOT:
            op.execute(f"ALTER TABLE {table} {what}")
