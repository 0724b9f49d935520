"""Files that are not a whole backup of a cloud: whatever is in them, nothing changes."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from tests.story.cli.conftest import Commands, tree


def cut_short(file: Path) -> str:
    os.truncate(file, file.stat().st_size * 2 // 3)
    return "not a whole one"


def without_its_end(file: Path) -> str:
    with tarfile.open(file) as tar:
        end = next(one.offset for one in tar if one.name == "manifest.json")
    os.truncate(file, end)
    return "its end is missing"


def with_another_byte(file: Path) -> str:
    with tarfile.open(file) as tar:
        at = next(one.offset_data + one.size // 2 for one in tar if one.name == "kilonova.db")
    with file.open("r+b") as made:
        made.seek(at)
        byte = made.read(1)
        made.seek(at)
        made.write(bytes([byte[0] ^ 1]))
    return "kilonova.db is not what was written"


def with_a_way_out(file: Path) -> str:
    with tarfile.open(file, "a:") as tar:
        tar.addfile(tarfile.TarInfo("../../evil"))
    return "'../../evil' is in it"


def with_a_link(file: Path) -> str:
    link = tarfile.TarInfo("policy.yaml")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
    with tarfile.open(file, "a:") as tar:
        tar.addfile(link)
    return "'policy.yaml' is in it"


def of_a_newer_release(file: Path) -> str:
    text = file.read_bytes()
    at = text.rindex(b'"schema":"00') + len(b'"schema":"')
    file.write_bytes(text[:at] + b"9" + text[at + 1 :])
    return "whose schema (9"


def something_else(file: Path) -> str:
    file.write_bytes(os.urandom(20_000))
    return "is no backup of a cloud"


@pytest.mark.parametrize(
    "spoil",
    [cut_short, without_its_end, with_another_byte, with_a_way_out, with_a_link, of_a_newer_release, something_else],
    ids=lambda one: one.__name__,
)
def test_a_file_that_is_not_a_whole_backup_changes_nothing(down: tuple[Commands, Path], spoil: object) -> None:
    own, file = down
    why = spoil(file)  # type: ignore[operator]
    before = tree(own.data_dir)
    refused = own.run("restore", str(file), "--yes")
    assert refused.exit_code == 1
    assert why in refused.stderr
    assert "Next: " in refused.stderr
    after = tree(own.data_dir)
    assert before.pop("kilonova.pid") != after.pop("kilonova.pid")
    assert after == before
    new = own.data_dir.with_name("new")
    assert own.run("restore", str(file), "--data-dir", str(new)).exit_code == 1
    assert not new.exists()
