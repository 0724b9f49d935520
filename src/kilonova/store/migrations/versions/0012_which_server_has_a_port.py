"""
Which server has a port: a column that only servers' own path writes.

Until here that was read from `device_id` and `device_owner`, which clients write too; on SQLite an owner in other letters passed
for a server's. So what counts is the owner as the server's path alone could write it, letter by letter; what was not bound so
is on no host.

On PostgreSQL the previous release may still run and write ports without the column: a trigger fills it in. It is no part of a
schema made whole; a later step drops it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_FILL = """
    UPDATE ports SET server_id = device_id
    WHERE substr(device_owner, 1, 8) = 'compute:' AND device_id IN (SELECT id FROM servers WHERE lifecycle <> 'deleted')
"""
_FREE = (
    "UPDATE ports SET host = NULL, status = 'DOWN' WHERE server_id IS NULL AND host IS NOT NULL AND NOT made_by_compute"
)
_FUNCTION = """
    CREATE FUNCTION ports_server_id() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'INSERT' THEN
            IF NEW.made_by_compute AND NEW.server_id IS NULL THEN NEW.server_id := NEW.device_id; END IF;
        ELSIF NEW.device_id <> OLD.device_id AND NEW.server_id IS NOT DISTINCT FROM OLD.server_id THEN
            IF substr(NEW.device_owner, 1, 8) = 'compute:' THEN NEW.server_id := NEW.device_id;
            ELSIF NEW.device_id = '' THEN NEW.server_id := NULL;
            END IF;
        END IF;
        RETURN NEW;
    END $$
"""
_TRIGGER = (
    "CREATE TRIGGER ports_server_id BEFORE INSERT OR UPDATE ON ports FOR EACH ROW EXECUTE FUNCTION ports_server_id()"
)


def upgrade() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:  # by hand: made anew, the table would take the addresses of its ports with it
        op.execute(
            "ALTER TABLE ports ADD COLUMN server_id VARCHAR(36)"
            " CONSTRAINT fk_ports_server_id_servers REFERENCES servers (id)"
        )
    else:
        op.add_column("ports", sa.Column("server_id", sa.String(length=36), nullable=True))
        op.create_foreign_key(op.f("fk_ports_server_id_servers"), "ports", "servers", ["server_id"], ["id"])
    op.execute(_FILL)
    op.execute(_FREE)
    op.create_index(op.f("ix_ports_server_id"), "ports", ["server_id"], unique=False)
    _index_made("server_id")
    if not is_sqlite:
        op.execute(_FUNCTION)
        op.execute(_TRIGGER)


def downgrade() -> None:
    _index_made("device_id")
    op.drop_index(op.f("ix_ports_server_id"), "ports")
    if op.get_bind().dialect.name == "sqlite":
        op.execute("ALTER TABLE ports DROP COLUMN server_id")
        return
    op.execute("DROP TRIGGER ports_server_id ON ports")
    op.execute("DROP FUNCTION ports_server_id()")
    op.drop_column("ports", "server_id")


def _index_made(column: str) -> None:
    op.drop_index("uq_ports_made", "ports")
    op.create_index(
        "uq_ports_made", "ports", [column, "nic_order"], unique=True, sqlite_where=sa.text("made_by_compute"),
        postgresql_where=sa.text("made_by_compute"),
    )  # fmt: skip
