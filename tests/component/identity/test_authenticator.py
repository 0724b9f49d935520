"""A token holds as long as what it stands on: at once in this process, within seconds in another."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kilonova.domain.clock import Ids
from kilonova.domain.errors import Unauthenticated
from kilonova.domain.identity import Assignment, Domain, Project, Role, User
from kilonova.identity.application_credentials import NewCredential, create_credential, delete_credential
from kilonova.identity.authenticator import CAPACITY, TTL_S, TokenAuthenticator
from kilonova.identity.bootstrap import Credentials
from kilonova.identity.domains import NewDomain, create_domain, update_domain
from kilonova.identity.login import CredentialProof, LoginRequest, Named, WantedScope
from kilonova.identity.passwords import Passwords
from kilonova.identity.projects import delete_project, update_project
from kilonova.identity.revoke import revoke_token
from kilonova.identity.roles import give_role, take_role
from kilonova.identity.service import Identity, build_identity
from kilonova.identity.users import NewUser, create_user, delete_user, update_user
from kilonova.store.queries import identity as nouns
from tests.component.identity.conftest import Logins
from tests.fakes.identity import log_in
from tests.world.clock import ManualClock

Voiding = Callable[[Identity, str, str], object]


def role_id(identity: Identity, name: str) -> str:
    with identity.database.read() as tx:
        found = nouns.named(tx, Role, name)
    assert found is not None
    return found.id


def take_demo_role(identity: Identity, user_id: str, project_id: str) -> None:
    take_role(identity, Assignment(role_id=role_id(identity, "member"), user_id=user_id, project_id=project_id))


VOIDING: dict[str, Voiding] = {
    "a new password": lambda identity, user, _: update_user(identity, user, {"password": "other"}, {}),
    "a disabled user": lambda identity, user, _: update_user(identity, user, {"enabled": False}, {}),
    "a deleted user": lambda identity, user, _: delete_user(identity, user),
    "a disabled project": lambda identity, _, project: update_project(identity, project, {"enabled": False}, {}),
    "a deleted project": lambda identity, _, project: delete_project(identity, project),
    "a disabled domain": lambda identity, _user, _project: update_domain(identity, "default", {"enabled": False}),
    "the last role": take_demo_role,
}


@pytest.mark.parametrize("what", VOIDING)
def test_what_voids_a_token(
    what: str, identity: Identity, credentials: Credentials, logins: Logins, clock: ManualClock
) -> None:
    other_process = build_identity(identity.database, clock, Ids()).authenticator
    token = logins("demo", credentials.demo_password).token
    ctx = identity.authenticator.authenticate(token)
    assert other_process.authenticate(token) == ctx
    assert ctx.user_id is not None
    assert ctx.project_id is not None
    clock.advance(1)
    VOIDING[what](identity, ctx.user_id, ctx.project_id)
    with pytest.raises(Unauthenticated):
        identity.authenticator.authenticate(token)
    assert other_process.authenticate(token) == ctx  # it has not heard of it yet
    clock.advance(TTL_S)
    with pytest.raises(Unauthenticated):
        other_process.authenticate(token)


def test_a_disabled_user_who_is_enabled_again_needs_a_new_token(
    identity: Identity, credentials: Credentials, logins: Logins, clock: ManualClock
) -> None:
    token = logins("demo", credentials.demo_password).token
    clock.advance(1)
    user = logins.user("demo")
    update_user(identity, user.id, {"enabled": False}, {})
    update_user(identity, user.id, {"enabled": True}, {})
    with pytest.raises(Unauthenticated):
        identity.authenticator.authenticate(token)
    identity.authenticator.authenticate(logins("demo", credentials.demo_password).token)


def test_revoking_voids_one_token_only(identity: Identity, credentials: Credentials, logins: Logins) -> None:
    first, second = (logins("demo", credentials.demo_password) for _ in range(2))
    identity.authenticator.authenticate(first.token)
    revoke_token(identity, first.verified.claims)
    revoke_token(identity, first.verified.claims)
    with pytest.raises(Unauthenticated):
        identity.authenticator.authenticate(first.token)
    identity.authenticator.authenticate(second.token)


def test_roles_come_with_those_they_imply(identity: Identity, credentials: Credentials, logins: Logins) -> None:
    admin = logins("admin", credentials.admin_password).verified.context
    assert admin.roles == ("admin", "manager", "member", "reader")
    assert admin.is_admin
    demo = logins("demo", credentials.demo_password).verified.context
    assert demo.roles == ("member", "reader")
    assert not demo.is_admin
    assert demo.project_name == demo.user_name == "demo"


def test_a_role_given_later_counts_at_once(identity: Identity, credentials: Credentials, logins: Logins) -> None:
    issued = logins("demo", credentials.demo_password)
    ctx = issued.verified.context
    manager = Assignment(role_id=role_id(identity, "manager"), user_id=ctx.user_id, project_id=ctx.project_id)
    identity.authenticator.authenticate(issued.token)
    give_role(identity, manager)
    assert "manager" in identity.authenticator.authenticate(issued.token).roles


def test_the_context_never_holds_the_token_itself(credentials: Credentials, logins: Logins) -> None:
    issued = logins("admin", credentials.admin_password)
    assert issued.token not in repr(issued.verified)
    assert issued.verified.context.token_id == issued.verified.claims.audit_ids[0]


def test_an_answer_read_before_a_change_is_not_kept_after_it(
    identity: Identity, credentials: Credentials, logins: Logins, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    issued = logins("demo", credentials.demo_password)
    authenticator = TokenAuthenticator(identity.database, identity.tokens, clock)
    keep = authenticator._keep

    def change_first(*args: object) -> None:
        revoke_token(identity, issued.verified.claims)
        authenticator.forget()
        keep(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(authenticator, "_keep", change_first)
    authenticator.authenticate(issued.token)  # it read before the change
    with pytest.raises(Unauthenticated):
        authenticator.authenticate(issued.token)


def test_the_memory_is_bounded(identity: Identity, credentials: Credentials, logins: Logins) -> None:
    issued = logins("demo", credentials.demo_password)
    for i in range(CAPACITY + 10):
        identity.authenticator._keep(f"t{i}", issued.verified, identity.authenticator._epoch)
    assert len(identity.authenticator._kept) <= CAPACITY


# --- application credentials ------------------------------------------------------------------------------------------


def by_credential(ident: str, secret: str) -> LoginRequest:
    proof = CredentialProof(id=ident, name=None, user=None, secret=secret)
    return LoginRequest(application_credential=proof)


def test_a_credential_acts_with_its_roles_while_the_user_has_them(
    identity: Identity, credentials: Credentials, logins: Logins
) -> None:
    asking = logins("demo", credentials.demo_password).verified
    made, secret = create_credential(identity, asking, NewCredential(name="robot"))
    issued = log_in(identity, by_credential(made.id, secret))
    assert issued.verified.context.project_id == asking.context.project_id
    assert issued.verified.context.roles == ("member", "reader")
    give_role(
        identity,
        Assignment(role_id=role_id(identity, "admin"), user_id=asking.user.id, project_id=asking.context.project_id),
    )
    assert not identity.authenticator.authenticate(issued.token).is_admin  # it was not given that role
    delete_credential(identity, asking, asking.user.id, made.id)
    with pytest.raises(Unauthenticated):
        identity.authenticator.authenticate(issued.token)


def test_a_credential_ends_at_its_time(
    identity: Identity, credentials: Credentials, logins: Logins, clock: ManualClock
) -> None:
    asking = logins("demo", credentials.demo_password).verified
    end = clock.now().replace(minute=10)
    made, secret = create_credential(identity, asking, NewCredential(name="robot", expires_at=end))
    assert log_in(identity, by_credential(made.id, secret)).verified.claims.expires_at == end
    clock.advance(601)
    with pytest.raises(Unauthenticated):
        log_in(identity, by_credential(made.id, secret))


def test_the_tokens_of_a_credential_cannot_leave_its_project(
    identity: Identity, credentials: Credentials, logins: Logins
) -> None:
    asking = logins("admin", credentials.admin_password).verified
    made, secret = create_credential(identity, asking, NewCredential(name="robot"))
    issued = log_in(identity, by_credential(made.id, secret))
    with pytest.raises(Unauthenticated):
        log_in(identity, LoginRequest(token=issued.token, scope=WantedScope(system=True)))
    again = log_in(identity, LoginRequest(token=issued.token))
    assert again.verified.credential == made


# --- logging in -------------------------------------------------------------------------------------------------------


def test_every_refusal_reads_the_same(identity: Identity, credentials: Credentials, logins: Logins) -> None:
    create_user(identity, NewUser(name="off", domain_id="default", password="right", enabled=False))
    create_user(identity, NewUser(name="bare", domain_id="default"))
    attempts = [("demo", "wrong"), ("nobody", "x"), ("off", "right"), ("bare", "")]
    messages = set()
    for name, password in attempts:
        with pytest.raises(Unauthenticated) as refused:
            logins(name, password)
        messages.add((type(refused.value), str(refused.value)))
    for project in ("admin", "no such project"):
        with pytest.raises(Unauthenticated) as refused:
            logins("demo", credentials.demo_password, WantedScope(project=Named(name=project, domain_id="default")))
        messages.add((type(refused.value), str(refused.value)))
    assert len(messages) == 1


def test_a_domain_is_a_scope_of_its_own(identity: Identity, credentials: Credentials, logins: Logins) -> None:
    domain = create_domain(identity, NewDomain(name="d2"))
    wanted = WantedScope(domain=Named(name="d2"))
    with pytest.raises(Unauthenticated):
        logins("demo", credentials.demo_password, wanted)
    user = logins.user("demo")
    give_role(identity, Assignment(role_id=role_id(identity, "manager"), user_id=user.id, domain_id=domain.id))
    ctx = logins("demo", credentials.demo_password, wanted).verified.context
    assert (ctx.domain_id, ctx.project_id, ctx.roles) == (domain.id, None, ("manager", "member", "reader"))


def test_without_a_default_project_a_token_is_unscoped(identity: Identity, logins: Logins) -> None:
    create_user(identity, NewUser(name="new", domain_id="default", password="pw"))
    issued = logins("new", "pw")
    assert issued.verified.claims.scope.is_nothing
    assert identity.authenticator.authenticate(issued.token).roles == ()


def test_a_hash_of_another_cost_is_renewed_by_the_next_login(
    identity: Identity, credentials: Credentials, logins: Logins
) -> None:
    dearer = build_identity(identity.database, identity.clock, Ids(), passwords=Passwords(time_cost=2, memory_kib=8))
    before = logins.user("demo")
    token = logins("demo", credentials.demo_password).token
    Logins(dearer)("demo", credentials.demo_password)
    after = logins.user("demo")
    assert after.password_hash != before.password_hash
    assert "t=2" in str(after.password_hash)
    identity.authenticator.authenticate(token)  # nothing has changed for the user
    logins("demo", credentials.demo_password)


@pytest.mark.parametrize("kind", [Domain, Project, User, Role])
def test_nothing_is_found_under_an_absurd_id(identity: Identity, kind: type[Domain]) -> None:
    with identity.database.read() as tx:
        assert nouns.find(tx, kind, "x" * 5000) is None
