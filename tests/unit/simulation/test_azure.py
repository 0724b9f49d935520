"""The Azure packing trace's schema, as SQLite file and as CSV dumps."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kilonova.domain.errors import Rejected
from kilonova.simulation.azure import Part, convert
from kilonova.simulation.fleet import HostGroup
from kilonova.simulation.trace import Arrival

HOST = HostGroup(vcpus=64, ram_mib=262144, disk_gib=1000)
VM = ("vmId", "tenantId", "vmTypeId", "priority", "starttime", "endtime")
VMS = [
    (1, 9, 10, 0, -3.5, 0.5),  # there before the trace began
    (2, 9, 10, 1, 0.25, None),  # outlives it
    (3, 8, 11, 0, 1.0, 1.5),
    (4, 8, 12, 0, 2.0, 3.0),  # only on machine 2
]
TYPE = ("id", "vmTypeId", "machineId", "core", "memory", "hdd", "ssd", "nic")
TYPES = [
    (1, 10, 1, 0.0625, 0.03125, None, 0.02, 0.01),
    (2, 10, 2, 0.125, 0.0625, None, 0.04, 0.01),
    (3, 11, 1, 0.1, 0.1, 0.5, 0.1, 0.01),
    (4, 12, 2, 0.25, 0.5, None, 0.1, 0.01),
]


def stored(folder: Path, vms: list[tuple[object, ...]] = VMS) -> Path:
    path = folder / "packing.sqlite"
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"CREATE TABLE vm ({', '.join(VM)})")
        file.execute(f"CREATE TABLE vmType ({', '.join(TYPE)})")
        file.executemany("INSERT INTO vm VALUES (?, ?, ?, ?, ?, ?)", vms)
        file.executemany("INSERT INTO vmType VALUES (?, ?, ?, ?, ?, ?, ?, ?)", TYPES)
    return path


def dumped(folder: Path) -> Path:
    for name, header, rows in (("vm", VM, VMS), ("vmType", TYPE, TYPES)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])
    return folder


@pytest.mark.parametrize("make", [stored, dumped])
def test_fractions_become_sizes_and_days_seconds(tmp_path: Path, make: object) -> None:
    found = convert(make(tmp_path), HOST, Part())  # type: ignore[operator]
    assert (found.machine, found.left_out) == ("1", 1)  # 3 requests for machine 1, as for 2: the earlier of equals
    assert found.arrivals == [
        Arrival(at_s=0.0, lifetime_s=43200.0, vcpus=4, ram_mib=8192, disk_gib=20, server="vm-1", flavor="type-10"),
        Arrival(at_s=21600.0, lifetime_s=None, vcpus=4, ram_mib=8192, disk_gib=20, server="vm-2", flavor="type-10"),
        # A tenth of 64 vCPUs is 7, of 262144 MiB 26215; hdd is the scarcer disk.
        Arrival(at_s=86400.0, lifetime_s=43200.0, vcpus=7, ram_mib=26215, disk_gib=500, server="vm-3", flavor="type-11"),
    ]  # fmt: skip


def test_another_machine_has_other_sizes(tmp_path: Path) -> None:
    found = convert(stored(tmp_path), HOST, Part(machine="2"))
    assert [(one.flavor, one.vcpus) for one in found.arrivals] == [("type-10", 8), ("type-10", 8), ("type-12", 16)]


def test_one_priority_and_the_first_requests_can_be_had(tmp_path: Path) -> None:
    path = stored(tmp_path)
    assert [one.server for one in convert(path, HOST, Part(priority="low")).arrivals] == ["vm-2"]
    assert [one.server for one in convert(path, HOST, Part(priority="high")).arrivals] == ["vm-1", "vm-3"]
    assert [one.server for one in convert(path, HOST, Part(limit=1)).arrivals] == ["vm-1"]


def test_what_is_not_the_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="has no machine 7") as refused:
        convert(stored(tmp_path), HOST, Part(machine="7"))
    assert refused.value.next_step == "The machines are 1, 2."
    (tmp_path / "text").write_text("no database, and long enough to be none: " * 20)
    for path in (tmp_path / "text", tmp_path / "absent"):
        with pytest.raises(Rejected, match="cannot be read as the packing trace"):
            convert(path, HOST, Part())
    with pytest.raises(Rejected, match=r"vm\.csv cannot be read"):
        convert(tmp_path, HOST, Part())
    (tmp_path / "vm.csv").write_text("vmId,other\n1,2\n")
    with pytest.raises(Rejected, match="has no column vmTypeId"):
        convert(tmp_path, HOST, Part())


def test_a_cell_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="'soon' where a number belongs"):
        convert(stored(tmp_path, [(1, 1, 10, 0, "soon", None)]), HOST, Part())


def test_a_share_is_drawn_by_the_seed(tmp_path: Path) -> None:
    path = stored(tmp_path, [(number, 1, 10, 0, number / 100, None) for number in range(2000)])
    taken = [one.server for one in convert(path, HOST, Part(share=0.1, seed=3)).arrivals]
    assert 150 < len(taken) < 250
    assert taken == [one.server for one in convert(path, HOST, Part(share=0.1, seed=3)).arrivals]
    assert taken != [one.server for one in convert(path, HOST, Part(share=0.1, seed=4)).arrivals]
