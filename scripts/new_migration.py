"""Write the next step of the schema's history: what the tables have that the steps so far do not make."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import ScriptDirectory

from kilonova.store.database import Database
from kilonova.store.schema import alembic_config, upgrade


def main(message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        db = Database(f"sqlite:///{Path(folder) / 'steps.db'}")
        upgrade(db)
        with db.engine.begin() as connection:
            config = alembic_config(connection)
            head = ScriptDirectory.from_config(config).get_current_head()
            number = f"{int(head or '0') + 1:04d}"
            command.revision(config, message=message, autogenerate=True, rev_id=number)
        db.close()
    print(f'Read it, mend it, and set HEAD = "{number}" in src/kilonova/store/schema.py.')


if __name__ == "__main__":
    main(sys.argv[1])
