"""`/v3/role_assignments`: who has which role where, with filters, names, and what groups and implied roles make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from kilonova.api.framework import UNSET, Maybe, Page, Query, Request, Route, View, wire
from kilonova.api.identity.lists import linked
from kilonova.api.identity.views import NamedView, named
from kilonova.domain.errors import Rejected
from kilonova.domain.identity import Assignment, Domain, Group, Project, Role, User
from kilonova.identity.assignments import list_assignments
from kilonova.identity.service import Identity
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns
from kilonova.store.queries.identity_roles import Scope, Sought


class ListAssignments(Query):
    """Keystone's filters; a flag is set by being there, unless its value is 0 or false."""

    role_id: Annotated[Maybe[str], wire("role.id")] = UNSET
    user_id: Annotated[Maybe[str], wire("user.id")] = UNSET
    group_id: Annotated[Maybe[str], wire("group.id")] = UNSET
    project_id: Annotated[Maybe[str], wire("scope.project.id")] = UNSET
    domain_id: Annotated[Maybe[str], wire("scope.domain.id")] = UNSET
    system: Annotated[Maybe[str], wire("scope.system")] = UNSET
    inherited: Annotated[Maybe[str], wire("scope.OS-INHERIT:inherited_to")] = UNSET
    effective: Maybe[str] = UNSET
    include_names: Maybe[str] = UNSET
    include_subtree: Maybe[str] = UNSET


class RefView(View):
    """A reference, with its name and domain where names were asked for."""

    id: str
    name: Maybe[str] = UNSET
    domain: Maybe[NamedView] = UNSET


class ScopeView(View):
    """What a role was given on."""

    project: Maybe[RefView] = UNSET
    domain: Maybe[RefView] = UNSET
    system: Maybe[dict[str, bool]] = UNSET


class AssignmentView(View):
    """A role assignment on the wire."""

    role: RefView
    scope: ScopeView
    links: dict[str, str]
    user: Maybe[RefView] = UNSET
    group: Maybe[RefView] = UNSET


class Assignments:
    """Assignments, as a list."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    def index(self, req: Request[None, ListAssignments]) -> Page:
        """List what matches."""
        query = req.query
        effective = _is_set(query.effective)
        if effective and query.group_id is not UNSET:
            raise Rejected("effective and group.id exclude each other: effective assignments are users' own.")
        if query.inherited is not UNSET:
            return linked(req, [])  # inheritance to child projects is not served, so nobody has any
        with self._identity.database.read() as tx:
            found = list_assignments(tx, _sought(query), effective=effective)
            things = _things(tx, found) if _is_set(query.include_names) else None
        return linked(req, [_view(req, one, things) for one in found])


def _is_set(value: Maybe[str]) -> bool:
    return value is not UNSET and value.lower() not in ("0", "false")


def _sought(query: ListAssignments) -> Sought:
    wanted = {
        name: value for name in ("role_id", "user_id", "group_id") if (value := getattr(query, name)) is not UNSET
    }
    scopes: list[dict[str, Any]] = [
        {name: getattr(query, name)} for name in ("project_id", "domain_id") if getattr(query, name) is not UNSET
    ]
    if query.system is not UNSET:
        scopes.append({"system": True})
    if len(scopes) > 1:
        raise Rejected("Specify a project, a domain or the system to filter by, not several of them.")
    return Sought(**wanted, scope=Scope(**scopes[0]) if scopes else None)


Things = Mapping[str, Any]


def _things(tx: Tx, found: Sequence[Assignment]) -> Things:
    """All that the assignments name, and the domains of that, by id."""
    kinds: dict[str, type[msgspec.Struct]] = {
        "role_id": Role,
        "user_id": User,
        "group_id": Group,
        "project_id": Project,
        "domain_id": Domain,
    }
    things: dict[str, Any] = {}
    for name, kind in kinds.items():
        things |= nouns.many(tx, kind, {ident for one in found if (ident := getattr(one, name)) is not None})
    things |= nouns.many(
        tx, Domain, {thing.domain_id for thing in things.values() if getattr(thing, "domain_id", None)}
    )
    return things


def _ref(ident: str, things: Things | None) -> RefView:
    thing = None if things is None else things.get(ident)
    if thing is None or things is None:
        return RefView(id=ident)
    domain = things.get(getattr(thing, "domain_id", None) or "")
    return RefView(id=ident, name=thing.name, domain=UNSET if domain is None else named(domain))


def _view(req: Request[Any, Any], one: Assignment, things: Things | None) -> AssignmentView:
    actor, actor_id = ("users", one.user_id) if one.user_id is not None else ("groups", one.group_id)
    if one.project_id is not None:
        scope, where = ScopeView(project=_ref(one.project_id, things)), f"projects/{one.project_id}"
    elif one.domain_id is not None:
        scope, where = ScopeView(domain=_ref(one.domain_id, things)), f"domains/{one.domain_id}"
    else:
        scope, where = ScopeView(system={"all": True}), "system"
    return AssignmentView(
        role=_ref(one.role_id, things),
        scope=scope,
        links={"assignment": f"{req.base_url}/{where}/{actor}/{actor_id}/roles/{one.role_id}"},
        user=UNSET if one.user_id is None else _ref(one.user_id, things),
        group=UNSET if one.group_id is None else _ref(one.group_id, things),
    )


ROUTES = (
    Route(
        "GET", "/role_assignments", Assignments.index, policy="identity:list_role_assignments",
        query=ListAssignments, view=AssignmentView, view_key="role_assignments",
    ),
)  # fmt: skip
