"""What the secrets of hosts' guests are sealed with on their way."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "host_seal_keys",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_host_seal_keys")),
    )


def downgrade() -> None:
    op.drop_table("host_seal_keys")
