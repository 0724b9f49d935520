"""The tables of sagas."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sagas",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("user_id", sa.String(length=255), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("params", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("cancel", sa.Boolean(), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=True),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("command_id", sa.String(length=96), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.Column("wake_at", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(status IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
            name=op.f("ck_sagas_ended_has_time"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sagas")),
    )
    with op.batch_alter_table("sagas", schema=None) as batch_op:
        batch_op.create_index(
            "ix_sagas_live",
            ["status", "wake_at"],
            unique=False,
            sqlite_where=sa.text("status IN ('queued', 'ready', 'parked')"),
            postgresql_where=sa.text("status IN ('queued', 'ready', 'parked')"),
        )
        batch_op.create_index("ix_sagas_request", ["request_id"], unique=False)
        batch_op.create_index("ix_sagas_server", ["server_id", "created_at"], unique=False)
        batch_op.create_index(
            "uq_sagas_running",
            ["server_id"],
            unique=True,
            sqlite_where=sa.text("status IN ('ready', 'parked')"),
            postgresql_where=sa.text("status IN ('ready', 'parked')"),
        )

    op.create_table(
        "saga_events",
        sa.Column("saga_id", sa.String(length=36), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=32), nullable=True),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["saga_id"], ["sagas.id"], name=op.f("fk_saga_events_saga_id_sagas"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("saga_id", "seq", name=op.f("pk_saga_events")),
    )
    op.create_table(
        "saga_stages",
        sa.Column("saga_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["saga_id"], ["sagas.id"], name=op.f("fk_saga_stages_saga_id_sagas"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("saga_id", "name", "attempt", name=op.f("pk_saga_stages")),
    )


def downgrade() -> None:
    op.drop_table("saga_stages")
    op.drop_table("saga_events")
    with op.batch_alter_table("sagas", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_sagas_running",
            sqlite_where=sa.text("status IN ('ready', 'parked')"),
            postgresql_where=sa.text("status IN ('ready', 'parked')"),
        )
        batch_op.drop_index("ix_sagas_server")
        batch_op.drop_index("ix_sagas_request")
        batch_op.drop_index(
            "ix_sagas_live",
            sqlite_where=sa.text("status IN ('queued', 'ready', 'parked')"),
            postgresql_where=sa.text("status IN ('queued', 'ready', 'parked')"),
        )

    op.drop_table("sagas")
