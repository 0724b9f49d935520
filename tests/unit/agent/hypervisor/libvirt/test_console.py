"""The end of a console log."""

from __future__ import annotations

from pathlib import Path

from kilonova.agent.hypervisor.libvirt.console import MAX_BYTES, console_tail
from kilonova.agent.hypervisor.libvirt.layout import InstanceDir


def test_no_log_is_no_text(tmp_path: Path) -> None:
    assert console_tail(InstanceDir(tmp_path), None) == ""


def test_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "console.log").write_bytes(b"one\ntwo\nthree\n")
    assert console_tail(InstanceDir(tmp_path), 2) == "two\nthree\n"
    assert console_tail(InstanceDir(tmp_path), 99) == "one\ntwo\nthree\n"
    assert console_tail(InstanceDir(tmp_path), 0) == ""
    assert console_tail(InstanceDir(tmp_path), None) == "one\ntwo\nthree\n"


def test_a_log_that_was_just_turned_over_goes_on_in_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "console.log.0").write_bytes(b"old\n")
    (tmp_path / "console.log").write_bytes(b"new\n")
    assert console_tail(InstanceDir(tmp_path), None) == "old\nnew\n"


def test_it_is_bounded_and_any_bytes_are_text(tmp_path: Path) -> None:
    (tmp_path / "console.log.0").write_bytes(b"y" * MAX_BYTES)
    (tmp_path / "console.log").write_bytes(b"\xff\0" + b"x" * (MAX_BYTES - 2))
    text = console_tail(InstanceDir(tmp_path), None)
    assert text == "\N{REPLACEMENT CHARACTER}" + "x" * (MAX_BYTES - 2)
