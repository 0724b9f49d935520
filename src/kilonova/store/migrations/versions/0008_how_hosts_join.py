"""How hosts join: tokens, credentials, image grants and refusals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "host_credentials",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("host", name=op.f("pk_host_credentials")),
    )
    op.create_table(
        "host_image_grants",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("image_id", sa.String(length=36), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("host", "image_id", name=op.f("pk_host_image_grants")),
    )
    op.create_table(
        "host_join_tokens",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=True),
        sa.Column("created_by", sa.String(length=255), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_by", sa.String(length=255), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(used_by IS NULL) = (used_at IS NULL)", name=op.f("ck_host_join_tokens_used_by_somebody")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_host_join_tokens")),
    )
    with op.batch_alter_table("host_join_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_host_join_tokens_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "host_refusals",
        sa.Column("sender", sa.String(length=255), nullable=False),
        sa.Column("what", sa.String(length=64), nullable=False),
        sa.Column("why", sa.String(length=128), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sender", "what", "why", name=op.f("pk_host_refusals")),
    )
    with op.batch_alter_table("host_refusals", schema=None) as batch_op:
        batch_op.create_index("ix_host_refusals_last", ["last_at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("host_refusals", schema=None) as batch_op:
        batch_op.drop_index("ix_host_refusals_last")

    op.drop_table("host_refusals")
    with op.batch_alter_table("host_join_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_host_join_tokens_expires_at"))

    op.drop_table("host_join_tokens")
    op.drop_table("host_image_grants")
    op.drop_table("host_credentials")
