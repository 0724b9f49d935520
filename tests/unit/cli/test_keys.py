from __future__ import annotations

from pathlib import Path

from kilonova.cli.keys import find_key, ssh_line


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
