"""Projects and their tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.domain.errors import Denied, InvalidField, Missing
from kilonova.domain.identity import Domain, Project
from kilonova.identity.extra import merged
from kilonova.identity.service import Identity
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns
from kilonova.store.queries.identity import Listing

MAX_TAGS = 80
DEEPEST = 5


class NewProject(msgspec.Struct, frozen=True, kw_only=True):
    """What a project is made from; without `parent_id` it stands directly in its domain."""

    name: str
    domain_id: str
    parent_id: str | None = None
    description: str = ""
    enabled: bool = True
    tags: tuple[str, ...] = ()
    extra: dict[str, object] = {}


def create_project(identity: Identity, new: NewProject) -> Project:
    """Make a project. Raises Conflict where its name is taken, InvalidField where its domain or parent is not there."""
    made = Project(
        id=identity.new_id(),
        domain_id=new.domain_id,
        parent_id=new.parent_id or new.domain_id,
        name=new.name,
        description=new.description,
        enabled=new.enabled,
        tags=_unique(new.tags),
        extra=merged({}, new.extra),
        created_at=identity.clock.now(),
    )
    with identity.changing() as tx:
        if nouns.find(tx, Domain, new.domain_id) is None:
            raise InvalidField("project.domain_id", f"there is no domain {new.domain_id}")
        _check_parent(tx, made)
        nouns.add(tx, made)
    return made


def update_project(identity: Identity, ident: str, changes: Mapping[str, Any], extra: Mapping[str, object]) -> Project:
    """Change a project; a disabled one's tokens are void. Raises Missing, Conflict."""
    with identity.changing() as tx:
        values = dict(changes)
        if extra:
            values["extra"] = merged(nouns.get(tx, Project, ident, lock=True).extra, extra)
        if "tags" in values:
            values["tags"] = _unique(values["tags"])
        return nouns.change(tx, Project, ident, values)


def delete_project(identity: Identity, ident: str) -> None:
    """Delete a project, its assignments and application credentials. Raises Missing, and Denied while it has children."""
    with identity.changing() as tx:
        nouns.get(tx, Project, ident, lock=True)
        if nouns.listed(tx, Project, Listing(equal={"parent_id": ident}, limit=1)):
            raise Denied(
                f"Cannot delete the project {ident} since it is not a leaf.", next_step="Delete its children first."
            )
        nouns.remove(tx, Project, ident)


def add_tag(identity: Identity, ident: str, tag: str) -> None:
    """Give a project one more tag; having it already is fine."""
    with identity.database.write() as tx:
        tags = nouns.get(tx, Project, ident, lock=True).tags
        nouns.change(tx, Project, ident, {"tags": _unique((*tags, tag))})


def remove_tag(identity: Identity, ident: str, tag: str) -> None:
    """Take a tag away. Raises Missing where there is no such project or tag."""
    with identity.database.write() as tx:
        tags = nouns.get(tx, Project, ident, lock=True).tags
        if tag not in tags:
            raise Missing("Project tag", tag)
        nouns.change(tx, Project, ident, {"tags": tuple(one for one in tags if one != tag)})


def _unique(tags: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(tags))
    if len(found) > MAX_TAGS:
        raise InvalidField("project.tags", f"a project has at most {MAX_TAGS} tags")
    return found


def _check_parent(tx: Tx, project: Project) -> None:
    """The parents up to the domain must be in the same domain, and not too many."""
    above = project.parent_id
    for _ in range(DEEPEST):
        if above == project.domain_id:
            return
        parent = nouns.find(tx, Project, above)
        if parent is None or parent.domain_id != project.domain_id:
            raise InvalidField("project.parent_id", f"there is no project {above} in the domain {project.domain_id}")
        above = parent.parent_id
    raise InvalidField("project.parent_id", f"projects may be nested {DEEPEST} deep")
