"""A server may have allocations on several hosts: current, incoming, outgoing. Those there are become current ones."""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_ROLE = sa.Column("role", sa.String(16), nullable=False, server_default="current")


def upgrade() -> None:
    with op.batch_alter_table("claims", schema=None) as batch_op:
        batch_op.add_column(_ROLE)
    with op.batch_alter_table("claims", schema=None, recreate=_recreate()) as batch_op:
        batch_op.drop_constraint("pk_claims", type_="primary")
        batch_op.create_primary_key("pk_claims", ["server_id", "host_id", "role"])
        batch_op.create_unique_constraint("uq_claims_server_id_role", ["server_id", "role"])


def downgrade() -> None:
    op.execute("DELETE FROM claims WHERE role <> 'current'")
    with op.batch_alter_table("claims", schema=None, recreate=_recreate()) as batch_op:
        batch_op.drop_constraint("uq_claims_server_id_role", type_="unique")
        batch_op.drop_constraint("pk_claims", type_="primary")
        batch_op.create_primary_key("pk_claims", ["server_id"])
    with op.batch_alter_table("claims", schema=None) as batch_op:
        batch_op.drop_column("role")


def _recreate() -> Literal["always", "never"]:
    return "always" if op.get_bind().dialect.name == "sqlite" else "never"
