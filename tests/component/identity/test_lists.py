"""Lists find the same on both engines."""

from __future__ import annotations

import pytest

from kilonova.domain.errors import Conflict, Missing, Rejected
from kilonova.domain.identity import Assignment, Project, Role, User
from kilonova.identity.assignments import list_assignments
from kilonova.identity.groups import NewGroup, add_member, create_group
from kilonova.identity.projects import NewProject, create_project
from kilonova.identity.roles import give_role
from kilonova.identity.service import Identity
from kilonova.identity.users import NewUser, create_user
from kilonova.store.queries import identity as nouns
from kilonova.store.queries import identity_roles
from kilonova.store.queries.identity import Listing
from kilonova.store.queries.identity_projects import tagged
from kilonova.store.queries.identity_roles import Scope, Sought

NAMES = ["Alpha", "alphabet", "beta%", "BETA_", "gamma"]
TAGS: dict[str, tuple[str, ...]] = {
    "Alpha": ("red", "blue"),
    "alphabet": ("red",),
    "beta%": ('quo"te', "redder"),
    "BETA_": (),
    "gamma": ("back\\slash", "blue"),
}


@pytest.fixture
def projects(identity: Identity) -> Identity:
    for name in NAMES:
        create_project(identity, NewProject(name=name, domain_id="default", description="mine", tags=TAGS[name]))
    return identity


def found(identity: Identity, **listing: object) -> set[str]:
    mine = {"description": "mine", **listing.pop("equal", {})}  # type: ignore[dict-item]
    with identity.database.read() as tx:
        return {one.name for one in nouns.listed(tx, Project, Listing(equal=mine, **listing))}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "text", "names"),
    [
        ("contains", "alpha", {"alphabet"}),
        ("icontains", "ALPHA", {"Alpha", "alphabet"}),
        ("startswith", "BETA", {"BETA_"}),
        ("istartswith", "beta", {"beta%", "BETA_"}),
        ("endswith", "a", {"Alpha", "gamma"}),
        ("iendswith", "BET", {"alphabet"}),
        ("endswith", "longer than any of them", set()),
        ("contains", "%", {"beta%"}),
        ("contains", "_", {"BETA_"}),
    ],
)
def test_names_by_their_parts(projects: Identity, how: str, text: str, names: set[str]) -> None:
    assert found(projects, name=((how, text),)) == names


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"tags": ["red"]}, {"Alpha", "alphabet"}),
        ({"tags": ["red", "blue"]}, {"Alpha"}),
        ({"tags_any": ["redder", "blue"]}, {"Alpha", "beta%", "gamma"}),
        ({"not_tags": ["red", "blue"]}, {"alphabet", "beta%", "BETA_", "gamma"}),
        ({"not_tags_any": ["red", "blue"]}, {"beta%", "BETA_"}),
        ({"tags": ['quo"te']}, {"beta%"}),
        ({"tags": ["back\\slash"]}, {"gamma"}),
        ({"tags": ["e"]}, set()),
        ({"tags": ["blue"], "not_tags": ["red"]}, {"gamma"}),
    ],
)
def test_projects_by_their_tags(projects: Identity, filters: dict[str, list[str]], names: set[str]) -> None:
    assert found(projects, where=tagged(filters)) == names


def test_pages_join_into_the_whole(projects: Identity) -> None:
    with projects.database.read() as tx:
        whole = [one.id for one in nouns.listed(tx, Project, Listing())]
        pages: list[str] = []
        while True:
            marker = pages[-1] if pages else None
            page = [one.id for one in nouns.listed(tx, Project, Listing(marker=marker, limit=2))]
            if not page:
                break
            pages += page
        with pytest.raises(Rejected):
            nouns.listed(tx, Project, Listing(marker="no such project"))
    assert pages == whole
    assert len(whole) == len(NAMES) + 2


def test_a_name_is_taken_once_in_a_domain(projects: Identity) -> None:
    with pytest.raises(Conflict, match="gamma"):
        create_project(projects, NewProject(name="gamma", domain_id="default"))
    with projects.database.read() as tx:
        alpha = nouns.named(tx, Project, "Alpha", domain_id="default")
    assert alpha is not None
    with pytest.raises(Conflict), projects.database.write() as tx:
        nouns.change(tx, Project, alpha.id, {"name": "gamma"})
    with pytest.raises(Missing), projects.database.write() as tx:
        nouns.change(tx, Project, "none", {"name": "x"})


def test_assignments_as_made_and_as_they_work_out(identity: Identity) -> None:
    user = create_user(identity, NewUser(name="u", domain_id="default"))
    project = create_project(identity, NewProject(name="p", domain_id="default"))
    group = create_group(identity, NewGroup(name="g", domain_id="default"))
    add_member(identity, group.id, user.id)
    add_member(identity, group.id, user.id)
    with identity.database.read() as tx:
        ids = {role.name: role.id for role in nouns.listed(tx, Role, Listing())}
    through_group = Assignment(role_id=ids["member"], group_id=group.id, project_id=project.id)
    give_role(identity, through_group)
    give_role(identity, through_group)
    give_role(identity, Assignment(role_id=ids["service"], user_id=user.id))
    with identity.database.read() as tx:
        on_project = Sought(user_id=user.id, scope=Scope(project_id=project.id))
        assert identity_roles.listed(tx, on_project) == []
        assert identity_roles.listed(tx, Sought(group_id=group.id)) == [through_group]
        effective = list_assignments(tx, on_project, effective=True)
        assert {one.role_id for one in effective} == {ids["member"], ids["reader"]}
        assert {one.user_id for one in effective} == {user.id}
        everything = list_assignments(tx, Sought(user_id=user.id), effective=True)
        assert {one.role_id for one in everything} == {ids["member"], ids["reader"], ids["service"]}
        assert list_assignments(tx, Sought(user_id=user.id, role_id=ids["reader"]), effective=True)
        assert identity_roles.project_ids_of(tx, user.id) == (project.id,)
    with identity.database.write() as tx:
        nouns.remove(tx, User, user.id)
    with identity.database.read() as tx:
        assert identity_roles.listed(tx, Sought(user_id=user.id)) == []
        assert identity_roles.members(tx, [group.id]) == {}
