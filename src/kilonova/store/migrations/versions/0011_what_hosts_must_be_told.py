"""What hosts must still be told of networks, and generations of security groups."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kilonova.store.types import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "network_changes",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("thing_id", sa.String(length=36), nullable=False),
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_network_changes")),
    )
    with op.batch_alter_table("security_groups", schema=None) as batch_op:
        batch_op.add_column(sa.Column("generation", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("generation_at", Instant(), nullable=True))
    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("generation_at", Instant(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.drop_column("generation_at")
    with op.batch_alter_table("security_groups", schema=None) as batch_op:
        batch_op.drop_column("generation_at")
        batch_op.drop_column("generation")
    op.drop_table("network_changes")
