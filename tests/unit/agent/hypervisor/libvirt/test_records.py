"""What a host remembers of its servers."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kilonova.agent.hypervisor.libvirt.layout import Layout
from kilonova.agent.hypervisor.libvirt.records import ServerRecord, ServerRecords
from kilonova.rpc.commands import RemoveServer
from tests.unit.agent.hypervisor.libvirt.machines import GUEST, SERVER, machine


@pytest.fixture
def kept(tmp_path: Path) -> ServerRecords:
    kept = ServerRecords(Layout(tmp_path))
    kept.open()
    return kept


def test_a_record_comes_back(kept: ServerRecords, tmp_path: Path) -> None:
    record = ServerRecord(spec=machine(), done=2)
    kept.write(record)
    assert kept.read(SERVER) == record
    assert kept.all() == {SERVER: record}
    assert kept.guest(SERVER) == GUEST
    assert (tmp_path / "instances" / SERVER / "spec.json").stat().st_mode & 0o777 == 0o600


def test_done_only_rises(kept: ServerRecords) -> None:
    kept.write(ServerRecord(spec=machine(), done=2))
    kept.raise_done(command(SERVER, 5))
    kept.raise_done(command(SERVER, 4))
    assert kept.generations("") == {SERVER: 5}
    kept.raise_done(command("nobody", 4))
    assert kept.read("nobody") is None


def test_what_was_done_in_another_epoch_of_the_records_counts_for_nothing(kept: ServerRecords) -> None:
    kept.write(ServerRecord(spec=machine(), done=57, epoch="a"))
    kept.leave_tombstone(command("gone", 9, "a"))
    assert kept.generations("a") == {SERVER: 57, "gone": 9}
    assert kept.generations("b") == {}
    kept.raise_done(command(SERVER, 6, "b"))
    assert (kept.done(SERVER, "a"), kept.done(SERVER, "b")) == (0, 6)
    assert kept.generations("b") == {SERVER: 6}


def test_a_folder_without_a_record_is_still_seen(kept: ServerRecords, tmp_path: Path) -> None:
    (tmp_path / "instances" / "half").mkdir()
    assert kept.folders() == ["half"]
    assert kept.all() == {}


def test_the_removed_are_remembered_for_a_day(kept: ServerRecords, tmp_path: Path) -> None:
    kept.leave_tombstone(command("old", 3))
    kept.leave_tombstone(command("new", 4))
    now = datetime.now(UTC)
    long_ago = (now - timedelta(days=2)).timestamp()
    os.utime(tmp_path / "removed" / "old", (long_ago, long_ago))
    assert kept.generations("") == {"old": 3, "new": 4}
    kept.forget(now)
    assert kept.generations("") == {"new": 4}
    assert kept.done("old", "") == 0


def command(server_id: str, generation: int, epoch: str = "") -> RemoveServer:
    return RemoveServer(command_id="c", server_id=server_id, generation=generation, epoch=epoch)
