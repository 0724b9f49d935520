"""Keys lie wrapped in the database, are replaced while tokens stay good, and do not open without what they were wrapped with."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from kilonova.domain.clock import Ids
from kilonova.domain.errors import Unavailable
from kilonova.identity.key_store import KeyFile, KeyStore, PlainKeys, is_wrapped
from kilonova.identity.keys import REFRESH, SETTLE, KeyRing
from kilonova.identity.rotate_keys import ensure_wrapped, list_keys, rotate_keys
from kilonova.identity.service import Identity, build_identity
from kilonova.store.database import Database
from kilonova.store.queries import identity_tokens
from tests.fakes.identity import cheap_passwords
from tests.world.clock import ManualClock

LIFE = timedelta(hours=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def ring(database: Database, clock: ManualClock, store: KeyStore | None = None) -> KeyRing:
    return KeyRing(database, clock, purpose="token", life=LIFE, store=store)


def service(database: Database, clock: ManualClock, store: KeyStore) -> Identity:
    return build_identity(database, clock, Ids(), passwords=cheap_passwords(), key_store=store)


def kept(database: Database) -> list[bytes]:
    with database.read() as tx:
        return [key.key for key in identity_tokens.keys(tx, "token")]


def test_a_key_lies_wrapped_and_its_file_is_its_owners(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    text = ring(database, clock, KeyFile(file, is_ours=True)).seal(b"word")
    assert all(is_wrapped(key) for key in kept(database))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ring(database, clock, KeyFile(file, is_ours=True)).open(text) == b"word"  # another process


def test_the_database_alone_opens_nothing(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    text = ring(database, clock, KeyFile(tmp_path / "master.key", is_ours=True)).seal(b"word")
    for store in (PlainKeys(), KeyFile(tmp_path / "other.key", is_ours=True)):
        with pytest.raises(Unavailable):
            ring(database, clock, store).open(text)


def test_what_a_release_before_left_plain_is_wrapped_and_stays_good(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    text = ring(database, clock).seal(b"word")
    assert not is_wrapped(kept(database)[0])
    now = ring(database, clock, KeyFile(tmp_path / "master.key", is_ours=True))
    assert now.open(text) == b"word"
    assert (ensure_wrapped(now), ensure_wrapped(now)) == (1, 0)
    assert is_wrapped(kept(database)[0])
    assert now.open(text) == b"word"


def test_a_rotation_replaces_both_and_every_token_stays_good(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "master.key"
    identity = service(database, clock, KeyFile(file, is_ours=True))
    other = ring(database, clock, KeyFile(file, is_ours=True))
    text, before, wrapping = identity.keys.seal(b"word"), kept(database), file.read_bytes()
    clock.advance(SETTLE.total_seconds() + 1)
    assert [key.state for key in rotate_keys(identity)] == ["settles", "seals"]
    assert file.read_bytes().split()[1:] == wrapping.split()  # for a backup under way
    assert not set(before) & set(kept(database))
    assert identity.keys.open(text) == other.open(text) == b"word"
    clock.advance(SETTLE.total_seconds() + REFRESH.total_seconds() + 1)
    assert [key.state for key in list_keys(identity)] == ["seals", "opens"]
    assert other.open(identity.keys.seal(b"new")) == b"new"
    rotate_keys(identity)
    assert len(file.read_bytes().split()) == 2
    assert wrapping.strip() not in file.read_bytes()


def test_a_rotation_that_ends_midway_leaves_all_open(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    store = KeyFile(tmp_path / "master.key", is_ours=True)
    text = ring(database, clock, store).seal(b"word")
    store.renew()  # and the process is killed
    assert ring(database, clock, KeyFile(tmp_path / "master.key", is_ours=True)).open(text) == b"word"


def test_a_fleets_file_is_changed_by_nobody_and_its_first_key_wraps(
    database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    file = tmp_path / "kilonova.keys"
    old, new = Fernet.generate_key(), Fernet.generate_key()
    file.write_bytes(old + b"\n")
    identity = service(database, clock, KeyFile(file, is_ours=False))
    text = identity.keys.seal(b"word")
    file.write_bytes(new + b"\n" + old + b"\n")
    clock.advance(1.0)
    rotate_keys(identity)
    assert file.read_bytes().split() == [new, old]
    file.write_bytes(new + b"\n")
    assert ring(database, clock, KeyFile(file, is_ours=False)).open(text) == b"word"


@pytest.mark.parametrize("content", [None, b"", b"no key\n"])
def test_a_file_without_a_key_is_said_to_be_one(
    database: Database, clock: ManualClock, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "kilonova.keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Unavailable, match="key"):
        ring(database, clock, KeyFile(file, is_ours=False)).seal(b"word")
