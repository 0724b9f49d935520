from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.api.framework.policy import ROLE_CHECKS, Policy, PolicyRule, effective_roles
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Bug, Denied
from tests.apiclient import caller

RULES = [PolicyRule(f"x:{role}", role) for role in ROLE_CHECKS]
POLICY = Policy([*RULES, PolicyRule("x:odd", check="role:member and flavour:%(taste)s")])
ROLES = ["reader", "member", "manager", "admin", "service", "stranger"]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("reader", {"reader"}),
        ("member", {"reader", "member"}),
        ("manager", {"reader", "member", "manager"}),
        ("admin", {"reader", "member", "manager", "admin", "service"}),
        ("service", {"service"}),
        ("stranger", set()),
    ],
)
def test_who_may_do_what_in_his_own_project(role: Any, allowed: Any) -> None:
    got = {level for level in ROLE_CHECKS if POLICY.can(caller("p1", role), f"x:{level}")}
    assert got == allowed | {"owner_user", "any", "none"}


def test_only_the_admin_reaches_into_other_projects() -> None:
    alien = {"project_id": "p2", "user_id": "u2"}
    for role in ROLES:
        for level in ("reader", "member", "manager", "owner_user"):
            assert POLICY.can(caller("p1", role), f"x:{level}", alien) == (role == "admin")


def test_a_caller_without_project_owns_nothing_without_project() -> None:
    nobody = RequestContext(request_id="r", roles=("member",))
    assert not POLICY.can(nobody, "x:member")
    assert not POLICY.can(nobody, "x:member", {"project_id": None})
    assert not POLICY.can(nobody, "x:owner_user", {"user_id": None})
    assert not POLICY.can(caller("None", "member"), "x:member", {"project_id": None})


def test_denied_names_the_rule() -> None:
    with pytest.raises(Denied, match="Policy doesn't allow x:admin to be performed"):
        POLICY.authorize(caller("p1", "member"), "x:admin")


def test_an_undeclared_rule_is_a_bug() -> None:
    with pytest.raises(Bug):
        POLICY.can(caller("p1", "admin"), "x:undeclared")


def test_a_rule_on_other_facts_is_asked_each_time() -> None:
    member = caller("p1", "member")
    assert not POLICY.can(member, "x:odd", {"taste": "sweet"})
    assert not POLICY.can(member, "x:odd", {})


def test_a_file_overrides_and_reloads(tmp_path: Any) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        '"x:admin": "rule:project_reader_or_admin"\n"x:any": "project_id:%(project_id)s and is_admin:False"\n'
    )
    policy = Policy(RULES, path)
    assert policy.can(caller("p1", "reader"), "x:admin")
    assert not policy.can(caller("p1", "reader"), "x:admin", {"project_id": "p2"})
    path.write_text('"x:admin": "!"\n')
    policy.reload()
    assert not policy.can(caller("p1", "admin"), "x:admin")


@pytest.mark.parametrize(
    "text", ['"x:admin": "rule:nowhere"', '"a": "rule:b"\n"b": "rule:a"', "- x", '"x:admin": 7', '"x": [']
)
def test_a_bad_file_is_refused_and_the_old_rules_stay(tmp_path: Any, text: Any) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text('"x:admin": "@"')
    policy = Policy(RULES, path)
    path.write_text(text)
    with pytest.raises(ValueError, match=r"\w"):
        policy.reload()
    assert policy.can(caller("p1", "stranger"), "x:admin")


@given(
    st.lists(st.sampled_from(ROLES), max_size=3),
    st.sampled_from(sorted(ROLE_CHECKS)),
    st.sampled_from([None, {}, {"project_id": "p1"}, {"project_id": "p2"}, {"user_id": "u1"}, {"tenant_id": "p1"}]),
    st.booleans(),
)
def test_a_kept_verdict_is_the_engines_own(roles: Any, level: Any, target: Any, scoped: Any) -> None:
    ctx = caller("p1", *roles) if scoped else RequestContext(request_id="r", roles=tuple(roles), user_id="u1")
    fresh = Policy(RULES)
    first = fresh.can(ctx, f"x:{level}", target)
    assert POLICY.can(ctx, f"x:{level}", target) == POLICY.can(ctx, f"x:{level}", target) == first


def test_roles_imply_the_lesser_ones() -> None:
    assert effective_roles(["Admin"]) == ["admin", "manager", "member", "reader"]
    assert effective_roles(["service"]) == ["service"]
