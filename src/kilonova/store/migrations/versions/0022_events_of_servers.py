"""The outbox of events: what became of each server, written by triggers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kilonova.store.tables.events import create_triggers

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("was", sa.Text(), nullable=True),
        sa.Column("now", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("number", name="uq_events_number"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_at", "events", ["at"])
    unnumbered = sa.text("number IS NULL")
    op.create_index("ix_events_unnumbered", "events", ["id"], sqlite_where=unnumbered, postgresql_where=unnumbered)
    for statement in create_triggers(op.get_bind().dialect.name):
        op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for name in ("servers_made", "servers_changed"):
        op.execute(f"DROP TRIGGER {name}" + (" ON servers" if is_postgresql else ""))
        if is_postgresql:
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("events")
