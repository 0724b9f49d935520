"""A server is known by its host key: learnt from its console log, kept by its id, refused when it changes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kilonova.cli import hostkeys
from kilonova.cli.client import ApiError
from kilonova.cli.errors import CliError
from kilonova.cli.hostkeys import KnownKeys, printed, settled

ID = "11111111-1111-4111-8111-111111111111"
SERVER = {"id": ID, "name": "web"}


def key(letter: str) -> tuple[str, str]:
    return "ssh-ed25519", f"AAAAC3NzaC1lZDI1NTE5AAAAI{letter * 43}"


OLD, NEW, OTHER = key("A"), key("B"), key("C")


def log(*keys: tuple[str, str]) -> str:
    lines = "".join(f"{kind} {blob} root@web\r\n" for kind, blob in keys)
    return f"boots\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{lines}-----END SSH HOST KEY KEYS-----\r\nlogin: "


class Console:
    """A cloud that only has a console log."""

    def __init__(self, said: str | None) -> None:
        self.said = said

    def call(self, *_: Any, **__: Any) -> Any:
        if self.said is None:
            raise ApiError(404, "there is no console")
        return {"output": self.said}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "a b"))
    return tmp_path


def ask(said: str | None, **how: Any) -> dict[str, str]:
    console: Any = Console(said)
    words = hostkeys.options(console, SERVER, **how)
    return dict(word.split("=", 1) for word in words[1::2])


def kept() -> KnownKeys:
    return hostkeys.kept_in(hostkeys.folder() / ID, ID)


def shown_by_the_server(*keys: tuple[str, str]) -> None:
    """What ssh does under accept-new."""
    with (hostkeys.folder() / ID).open("a") as file:
        file.writelines(f"{ID} {kind} {blob}\n" for kind, blob in keys)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ()),
        ("ssh-ed25519 AAAA", ()),
        (log(OLD, NEW), (OLD, NEW)),
        (log(OLD) + log(NEW), (NEW,)),
        (log(("@cert-authority * ssh-ed25519", OLD[1])), (OLD,)),
        (log(("ssh-ed25519", "AAAA\n* ssh-rsa AAAA")), ()),
        (f"-----BEGIN SSH HOST KEY KEYS-----\n{OLD[0]} {OLD[1]}\n", ()),
    ],
)
def test_keys_are_read_from_a_log(said: str, found: tuple[Any, ...]) -> None:
    assert printed(said) == found


def test_a_printed_key_is_the_only_one_accepted() -> None:
    options = ask(log(OLD))
    assert (options["StrictHostKeyChecking"], options["HostKeyAlias"]) == ("yes", ID)
    assert kept() == KnownKeys((OLD,), (OLD,))
    file = hostkeys.folder() / ID
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert ask(None)["StrictHostKeyChecking"] == "yes"  # the log is gone; what is known stays
    assert ask(log(OLD, NEW))["StrictHostKeyChecking"] == "yes"
    assert kept().keys == (OLD, NEW)  # one it has beside the old


def test_where_none_is_printed_the_first_that_is_shown_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("login:")["StrictHostKeyChecking"] == "accept-new"
    assert "first" in capsys.readouterr().err
    shown_by_the_server(OLD)
    assert ask(None)["StrictHostKeyChecking"] == "yes"
    assert capsys.readouterr().err == ""


def test_a_key_that_changes_is_refused_until_somebody_knows_why() -> None:
    ask(log(OLD))
    with pytest.raises(CliError, match="HAS CHANGED") as refused:
        ask(log(NEW))
    assert refused.value.next_step.endswith(f"kilonova ssh --new-host-key {ID}")
    assert kept().keys == (OLD,)
    assert ask(log(NEW), take_new=True)["StrictHostKeyChecking"] == "yes"
    assert kept().keys == (NEW,)
    assert ask(log(NEW))["StrictHostKeyChecking"] == "yes"


def test_a_key_made_anew_without_a_word_on_the_console_can_be_taken() -> None:
    ask(log(OLD))
    assert ask(log(OLD), take_new=True)["StrictHostKeyChecking"] == "accept-new"
    shown_by_the_server(NEW)
    assert ask(log(OLD))["StrictHostKeyChecking"] == "yes"
    assert kept().keys == (NEW,)
    with pytest.raises(CliError, match="HAS CHANGED"):
        ask(log(OTHER))


def test_nothing_is_known_of_a_server_that_says_nothing() -> None:
    assert settled(KnownKeys(), (), take_new=False) == KnownKeys()
    assert settled(KnownKeys((), (OLD,)), (OLD,), take_new=False) == KnownKeys((), (OLD,))


def test_a_home_that_cannot_be_written_keeps_nobody_out(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "a b").write_text("a file")
    assert ask(log(OLD))["StrictHostKeyChecking"] == "accept-new"
    assert "cannot be kept" in capsys.readouterr().err


def test_an_id_that_is_a_path_is_refused() -> None:
    console: Any = Console("")
    with pytest.raises(CliError, match="an id that is none"):
        hostkeys.options(console, {"id": "../../authorized_keys", "name": "web"})


@pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh: apt-get install openssh-client")
def test_ssh_reads_the_options_and_the_file() -> None:
    console: Any = Console(log(OLD))
    words = hostkeys.options(console, SERVER)
    told = subprocess.run(
        ["ssh", "-F", "none", "-G", *words, "10.0.0.1"], check=True, capture_output=True, text=True
    ).stdout
    file = hostkeys.folder() / ID
    assert f"userknownhostsfile {file}\n" in told
    assert f"hostkeyalias {ID}\n" in told
    assert "stricthostkeychecking true\n" in told
    found = subprocess.run(["ssh-keygen", "-F", ID, "-f", file], check=True, capture_output=True, text=True).stdout
    assert " ".join(OLD) in found
