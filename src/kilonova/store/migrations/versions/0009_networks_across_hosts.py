"""Networks across hosts: ids that no two share, and generations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("generation", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_index(
            "uq_networks_segment",
            ["kind", "segment"],
            unique=True,
            sqlite_where=sa.text("segment IS NOT NULL"),
            postgresql_where=sa.text("segment IS NOT NULL"),
        )
    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.create_index("ix_ports_network_id_host", ["network_id", "host"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("ports", schema=None) as batch_op:
        batch_op.drop_index("ix_ports_network_id_host")
    with op.batch_alter_table("networks", schema=None) as batch_op:
        batch_op.drop_index("uq_networks_segment")
        batch_op.drop_column("generation")
