"""What other services may ask identity of its projects."""

from __future__ import annotations

from kilonova.domain.identity import Project
from kilonova.store.database import Database
from kilonova.store.queries import identity


class ProjectDirectory:
    """The projects there are."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def exists(self, project_id: str) -> bool:
        """Whether there is such a project."""
        with self._database.read() as tx:
            return identity.find(tx, Project, project_id) is not None
