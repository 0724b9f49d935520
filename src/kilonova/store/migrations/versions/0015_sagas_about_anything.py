"""Sagas have a subject of any kind, and know which host they wait for. Those of the release before are about servers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sagas", schema=None) as batch_op:
        batch_op.add_column(sa.Column("subject_kind", sa.String(16), nullable=False, server_default="server"))
        batch_op.add_column(sa.Column("awaited_host", sa.String(255), nullable=True))
        batch_op.create_index(
            "ix_sagas_awaited_host",
            ["awaited_host"],
            unique=False,
            sqlite_where=sa.text("awaited_host IS NOT NULL"),
            postgresql_where=sa.text("awaited_host IS NOT NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("sagas", schema=None) as batch_op:
        batch_op.drop_index("ix_sagas_awaited_host")
        batch_op.drop_column("awaited_host")
        batch_op.drop_column("subject_kind")
