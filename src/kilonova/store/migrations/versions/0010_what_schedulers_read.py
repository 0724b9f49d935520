"""Indexes for what schedulers read every few seconds: what is on hosts, and which builds failed lately."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("servers", schema=None) as batch_op:
        batch_op.drop_index("ix_servers_host")
        batch_op.create_index("ix_servers_host", ["host", "image_id", "lifecycle"], unique=False)
    with op.batch_alter_table("saga_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_saga_events_failed",
            ["at", "host"],
            unique=False,
            sqlite_where=sa.text("event = 'step_failed'"),
            postgresql_where=sa.text("event = 'step_failed'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("saga_events", schema=None) as batch_op:
        batch_op.drop_index("ix_saga_events_failed")
    with op.batch_alter_table("servers", schema=None) as batch_op:
        batch_op.drop_index("ix_servers_host")
        batch_op.create_index("ix_servers_host", ["host"], unique=False)
