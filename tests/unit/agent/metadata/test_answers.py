from __future__ import annotations

from pathlib import Path

import pytest

from kilonova.agent.metadata.answers import PASSWORD_LIMIT, read_answer, write_answer
from kilonova.agent.metadata.passwords import PasswordFiles
from tests.netparts import guest_data

GUEST = guest_data("server1")


@pytest.fixture
def passwords(tmp_path: Path) -> PasswordFiles:
    return PasswordFiles(tmp_path / "passwords", lambda _server, _password: None)


@pytest.mark.parametrize(
    ("target", "status", "kind"),
    [
        ("/", 200, "text/plain; charset=utf-8"),
        ("/openstack", 200, "text/plain; charset=utf-8"),
        ("/openstack/latest/meta_data.json", 200, "application/json"),
        ("//openstack//latest/meta_data.json?x=1", 200, "application/json"),
        ("/latest/meta-data/", 200, "text/plain; charset=utf-8"),
        ("/latest/meta%2Ddata/instance-id", 200, "text/plain; charset=utf-8"),
        ("/latest/../../etc/passwd", 404, "text/plain; charset=utf-8"),
        ("/openstack/1999-01-01/meta_data.json", 404, "text/plain; charset=utf-8"),
    ],
)
def test_what_is_read(passwords: PasswordFiles, target: str, status: int, kind: str) -> None:
    answer = read_answer(GUEST, target, passwords)
    assert (answer.status, answer.content_type) == (status, kind)


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        ("/openstack/latest/password", b"x" * PASSWORD_LIMIT, 200),
        ("/openstack/2013-04-04/password", b"x", 200),
        ("/openstack/latest/password", b"", 400),
        ("/openstack/latest/password", b"x" * (PASSWORD_LIMIT + 1), 400),
        ("/openstack/latest/meta_data.json", b"x", 405),
        ("/latest/user-data", b"x", 405),
    ],
)
def test_what_is_written(passwords: PasswordFiles, target: str, body: bytes, status: int) -> None:
    assert write_answer(GUEST, target, body, passwords).status == status


def test_a_password_is_kept_once_passed_on_and_forgotten(tmp_path: Path) -> None:
    told: list[tuple[str, bytes]] = []
    files = PasswordFiles(tmp_path / "passwords", lambda server, password: told.append((server, password)))
    assert files.write("server1", b"one")
    assert not files.write("server1", b"two")
    assert (files.read("server1"), files.read("server2")) == (b"one", b"")
    assert told == [("server1", b"one")]
    files.forget("server1")
    assert files.read("server1") == b""
    assert list((tmp_path / "passwords").iterdir()) == []
