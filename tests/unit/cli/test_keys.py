from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kilonova.cli.facts import way_in
from kilonova.cli.keys import find_key, login_name, ssh_line


def test_a_key_is_found_by_its_contents_whatever_its_name(tmp_path: Path) -> None:
    for name, blob in (("id_rsa", "AAAA"), ("work", "BBBB")):
        (tmp_path / name).write_text("private")
        (tmp_path / f"{name}.pub").write_text(f"ssh-rsa {blob} me@here")
    assert find_key("demo", "ssh-rsa BBBB Generated-by-Nova", tmp_path) == tmp_path / "work"
    assert find_key("demo", "ssh-rsa CCCC", tmp_path) is None


def test_else_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "demo.pem").write_text("private")
    assert find_key("demo", "ssh-rsa CCCC", tmp_path) == tmp_path / "demo.pem"


def test_a_public_half_alone_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "id.pub").write_text("ssh-rsa AAAA")
    assert find_key("demo", "ssh-rsa AAAA", tmp_path) is None


def test_the_line_can_be_pasted() -> None:
    line = ssh_line("root", "10.0.0.5", Path("/home/a b/key"))
    assert line.startswith("ssh -i '/home/a b/key' ")
    assert line.endswith(" root@10.0.0.5")


class _OneImage:
    """A cloud that has one image."""

    def __init__(self, **properties: str) -> None:
        self.properties = properties

    def get(self, *_: Any) -> Any:
        return self.properties


@pytest.mark.parametrize(
    ("properties", "login"),
    [
        ({}, "root"),
        ({"os_admin_user": "core"}, "core"),
        ({"os_distro": "Debian"}, "debian"),
        ({"os_admin_user": "-oProxyCommand=touch owned"}, "root"),
        ({"os_admin_user": "a b", "os_distro": "alpine"}, "alpine"),
        ({"os_admin_user": "root@elsewhere"}, "root"),
        ({"os_admin_user": "root\n"}, "root"),
    ],
)
def test_an_image_names_a_login_and_no_option_of_ssh(properties: dict[str, str], login: str) -> None:
    client: Any = _OneImage(**properties)
    assert login_name(client, {"image": {"id": "i"}}) == login


@pytest.mark.parametrize("name", ["../secret", "a/b", "a\0b", "/etc/passwd"])
def test_a_key_pairs_name_is_no_path(tmp_path: Path, name: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").write_text("private")
    assert find_key(name, "", tmp_path / "in") is None


@pytest.mark.parametrize(
    ("said", "found"),
    [(["10.0.0.5"], "10.0.0.5"), (["-oProxyCommand=x", "fd00::5"], "fd00::5"), (["fe80::1%;x"], None)],
)
def test_the_way_in_is_an_address(said: list[str], found: str | None) -> None:
    assert way_in({"addresses": {"n": [{"addr": one, "version": 4} for one in said]}}) == found
