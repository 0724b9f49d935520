"""A project's parents and children."""

from __future__ import annotations

from kilonova.domain.identity import Project
from kilonova.identity.projects import DEEPEST
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns
from kilonova.store.queries.identity import Listing

Ids = dict[str, "Ids | None"]


def parents_of(tx: Tx, project: Project) -> list[Project]:
    """The projects above, nearest first; the domain is not one of them."""
    found: list[Project] = []
    above = nouns.find(tx, Project, project.parent_id)
    while above is not None and len(found) < DEEPEST:
        found.append(above)
        above = nouns.find(tx, Project, above.parent_id)
    return found


def subtree_of(tx: Tx, project: Project) -> list[Project]:
    """The projects below, nearer ones first."""
    found: list[Project] = []
    level = [project]
    for _ in range(DEEPEST):
        level = [below for one in level for below in nouns.listed(tx, Project, Listing(equal={"parent_id": one.id}))]
        found += level
    return found


def chain(parents: list[Project]) -> Ids | None:
    """Parents as Keystone nests their ids: each within the one below it, None at the end."""
    nested: Ids | None = None
    for one in reversed(parents):
        nested = {one.id: nested}
    return nested


def tree(top: str, below: list[Project]) -> Ids | None:
    """Children as Keystone nests their ids, None where there are none."""
    children = [one.id for one in below if one.parent_id == top]
    return {ident: tree(ident, below) for ident in children} or None
