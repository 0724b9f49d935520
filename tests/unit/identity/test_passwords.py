"""Hashes open to their own secret only."""

from __future__ import annotations

import pytest

from kilonova.identity.passwords import Passwords, new_password
from tests.fakes.identity import cheap_passwords


@pytest.mark.parametrize("secret", ["", "s3cret", "p\u00e4ssw\u00f6rt \u2603", "x" * 4096])
def test_a_secret_opens_its_own_hash_and_no_other(secret: str) -> None:
    passwords = cheap_passwords()
    hashed = passwords.hash(secret)
    assert hashed.startswith("$argon2id$")
    assert secret == "" or secret not in hashed
    assert passwords.verify(hashed, secret)
    assert not passwords.verify(hashed, secret + "x")


def test_nobodys_hash_and_a_broken_one_are_refused() -> None:
    assert not cheap_passwords().verify(None, "secret")
    assert not cheap_passwords().verify("not a hash", "secret")


def test_a_hash_of_another_cost_is_outdated() -> None:
    hashed = cheap_passwords().hash("secret")
    assert not cheap_passwords().is_outdated(hashed)
    assert Passwords(time_cost=2, memory_kib=16).is_outdated(hashed)


def test_new_passwords_differ_and_need_no_quoting() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(one) == 30 and one.isalnum() for one in made)
