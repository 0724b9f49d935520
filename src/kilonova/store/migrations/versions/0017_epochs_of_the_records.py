"""Epochs of the records: a new one begins whenever they were restored."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kilonova.store.types import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "epochs",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("began_at", Instant(), nullable=False),
        sa.Column("why", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_epochs")),
    )


def downgrade() -> None:
    op.drop_table("epochs")
