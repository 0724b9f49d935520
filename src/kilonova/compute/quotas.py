"""Set and forget limits of projects, of users in them, and of the default class."""

from __future__ import annotations

from collections.abc import Mapping

from kilonova.compute.neighbours import Projects
from kilonova.domain.errors import Rejected
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import quotas


class Quotas:
    """Sets and resets limits of projects, users and classes. The policy of who may look or write is the rim's."""

    def __init__(self, runtime: Runtime, *, projects: Projects) -> None:
        self._database, self._projects = runtime.db, projects

    def check_project(self, project_id: str) -> None:
        """Raise Rejected unless there is such a project."""
        if not self._projects.exists(project_id):
            raise Rejected(f"Project ID {project_id[:255]} is not a valid project.")

    def set(
        self, project_id: str, values: Mapping[str, int], *, user_id: str = "", force: bool = False
    ) -> dict[str, int]:
        """
        Set limits of a project or of a user in it. Returns all that hold now.

        Raises Rejected for no project, for a limit below what is used (unless `force`), and for a user's above the project's.
        """
        self.check_project(project_id)
        with self._database.write() as tx:
            if user_id:
                _check_within(quotas.limits(tx, project_id), values)
            if not force:
                _check_use(tx, project_id, values)
            quotas.set_limits(tx, project_id, values, user_id)
            return quotas.limits(tx, project_id, user_id)

    def forget(self, project_id: str, *, user_id: str = "") -> None:
        """Go back to the defaults."""
        with self._database.write() as tx:
            quotas.forget(tx, project_id, user_id)

    def set_class(self, name: str, values: Mapping[str, int]) -> dict[str, int]:
        """Set limits of a class; only the default one says anything to anybody. Returns all that it has now."""
        with self._database.write() as tx:
            quotas.set_limits(tx, quotas.class_key(name), values)
            return quotas.of_class(tx, name)


def _check_within(project: Mapping[str, int], values: Mapping[str, int]) -> None:
    for name, value in values.items():
        if project[name] >= 0 and not 0 <= value <= project[name]:
            raise Rejected(
                f"Quota limit {value} for {name} must be less than or equal to the project's, {project[name]}."
            )


def _check_use(tx: Tx, project_id: str, values: Mapping[str, int]) -> None:
    used = quotas.used(tx, project_id)
    for name, value in values.items():
        if 0 <= value < used.get(name, 0):
            raise Rejected(
                f"Quota limit {value} for {name} must be greater than or equal to already used and reserved {used[name]}.",
                next_step="Send force to set it nevertheless.",
            )
