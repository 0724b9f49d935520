"""A token is what it says or it is nothing: no text whatever gets more than a refusal."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilonova.domain.errors import Unauthenticated
from kilonova.identity.keys import KeyRing
from kilonova.identity.tokens import MAX_LENGTH, Proof, TokenMaker
from kilonova.store.queries.identity_roles import Scope
from tests.world.clock import ManualClock

SCOPES = [Scope(), Scope(project_id="p" * 32), Scope(domain_id="default"), Scope(system=True)]
relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def make(maker: TokenMaker, scope: Scope = SCOPES[1]) -> str:
    return maker.make(Proof(user_id="u" * 32, methods=("password",)), scope)[0]


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_says_what_it_was_made_for(maker: TokenMaker, scope: Scope, clock: ManualClock) -> None:
    token, made = maker.make(Proof(user_id="u1", methods=("password",), application_credential_id="c1"), scope)
    claims = maker.read(token)
    assert claims == made
    assert claims.scope == scope
    assert claims.issued_at == clock.now()
    assert claims.expires_at == clock.now() + timedelta(hours=1)
    assert token.isascii()
    assert len(token) < 350


@relaxed
@given(
    garbage=st.one_of(st.text(), st.text(alphabet="gAB-_=", min_size=1), st.binary().map(lambda b: b.decode("latin-1")))
)
def test_garbage_is_refused(maker: TokenMaker, garbage: str) -> None:
    with pytest.raises(Unauthenticated):
        maker.read(garbage)


@relaxed
@given(data=st.data())
def test_a_token_that_was_touched_is_refused(maker: TokenMaker, data: st.DataObject) -> None:
    token = make(maker)
    at = data.draw(st.integers(0, len(token) - 2))  # the last letter's spare bits are not part of what was sealed
    letter = data.draw(st.sampled_from("ABCxyz059-_"))
    touched = token[:at] + letter + token[at + 1 :]
    if touched != token:
        with pytest.raises(Unauthenticated):
            maker.read(touched)


@relaxed
@given(length=st.integers(0, 200))
def test_a_truncated_token_is_refused(maker: TokenMaker, length: int) -> None:
    with pytest.raises(Unauthenticated):
        maker.read(make(maker)[:length])


def test_an_oversize_token_is_refused_unread(maker: TokenMaker) -> None:
    with pytest.raises(Unauthenticated):
        maker.read("g" * (MAX_LENGTH + 1))


def test_a_token_of_another_cloud_is_refused(maker: TokenMaker) -> None:
    alien = Fernet(Fernet.generate_key()).encrypt(msgspec.msgpack.encode(maker.read(make(maker)))).decode()
    with pytest.raises(Unauthenticated):
        maker.read(alien)


@pytest.mark.parametrize(
    "content", [b"", b"\xc1", b"\x01", msgspec.msgpack.encode(["u", 5]), msgspec.msgpack.encode({"user_id": "u"})]
)
def test_a_sealed_text_of_another_form_is_refused(maker: TokenMaker, keys: KeyRing, content: bytes) -> None:
    with pytest.raises(Unauthenticated):
        maker.read(keys.seal(content))


def test_a_token_ends_at_its_time(maker: TokenMaker, clock: ManualClock) -> None:
    token = make(maker)
    clock.advance(3599)
    maker.read(token)
    clock.advance(1)
    with pytest.raises(Unauthenticated):
        maker.read(token)


def test_renewing_does_not_prolong_and_keeps_the_chain(maker: TokenMaker, clock: ManualClock) -> None:
    _, first = maker.make(Proof(user_id="u1", methods=("password",)), Scope())
    clock.advance(1000)
    _, second = maker.make(Proof(user_id="u1", methods=("token", "password"), parent=first), SCOPES[1])
    _, third = maker.make(Proof(user_id="u1", methods=("token", "password"), parent=second), SCOPES[1])
    assert first.expires_us == second.expires_us == third.expires_us
    assert second.audit_ids[1:] == third.audit_ids[1:] == first.audit_ids
    assert len({claims.audit_ids[0] for claims in (first, second, third)}) == 3


def test_a_proof_may_end_sooner(maker: TokenMaker, clock: ManualClock) -> None:
    end = clock.now() + timedelta(minutes=5)
    _, claims = maker.make(Proof(user_id="u1", methods=("application_credential",), not_after=end), SCOPES[1])
    assert claims.expires_at == end


def test_a_token_of_the_previous_release_opens(maker: TokenMaker, keys: KeyRing) -> None:
    """What was sealed without the fields that came later; the order of the first ones may never change."""
    far = 4_000_000_000_000_000
    old = keys.seal(msgspec.msgpack.encode(["u1", ["password"], ["audit"], 1, far]))
    claims = maker.read(old)
    assert (claims.user_id, claims.methods, claims.audit_ids, claims.scope) == (
        "u1",
        ("password",),
        ("audit",),
        Scope(),
    )
