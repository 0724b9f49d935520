"""
The public Azure packing trace of 2020 as a trace of ours.

It has two tables, as one SQLite file or as a CSV dump of each: `vm` (vmId, tenantId, vmTypeId, priority, starttime, endtime; days
since its beginning, below 0 for what was there before, no endtime for what outlived it) and `vmType` (vmTypeId, machineId, core,
memory, hdd, ssd, nic: what a type takes of each machine it may run on, as fractions of that machine).

Fractions mean something only of one machine, so one is chosen, and its size is given: the result is for a fleet of such hosts.
What does not run on that machine is left out and counted. Its disk is the scarcer of hdd and ssd;
its network is not counted here.
"""

from __future__ import annotations

import csv
import math
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from kilonova.domain.errors import Rejected
from kilonova.simulation.fleet import HostGroup
from kilonova.simulation.trace import Arrival, in_order

_DAY_S = 86400.0
_VM = ("vmId", "tenantId", "vmTypeId", "priority", "starttime", "endtime")
_TYPE = ("vmTypeId", "machineId", "core", "memory", "hdd", "ssd")
_PRIORITIES = {"high": 0, "low": 1}
Cells = Mapping[str, Any]


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trace: for which machine, and how many requests were left out as it cannot take them."""

    arrivals: list[Arrival]
    machine: str
    left_out: int


def convert(
    path: Path, host: HostGroup, *, machine: str | None = None, priority: str | None = None, limit: int | None = None
) -> Converted:
    """
    The requests for one machine, which is as large as `host`; without one named, the machine that takes most requests.

    `path` is the SQLite file, or the folder with vm.csv and vmType.csv. `priority`: high or low; else both. Raises Rejected.
    """
    requests = [row for row in _table(path, "vm", _VM, limit) if _is_wanted(row, priority)]
    sizes = _sizes(path)
    machine = machine or _busiest(requests, sizes)
    if machine not in {named for _, named in sizes}:
        known = ", ".join(sorted({named for _, named in sizes}, key=lambda one: (len(one), one)))
        raise Rejected(f"{path} has no machine {machine}.", next_step=f"The machines are {known}.")
    fitting = [row for row in requests if (_text(row["vmTypeId"]), machine) in sizes]
    arrivals = (_arrival(row, sizes[_text(row["vmTypeId"]), machine], host) for row in fitting)
    return Converted(arrivals=in_order(arrivals, str(path)), machine=machine, left_out=len(requests) - len(fitting))


def _arrival(row: Cells, size: Cells, host: HostGroup) -> Arrival:
    began, ended = _number(row["starttime"]), _number(row["endtime"])
    start_s = max(0.0, began or 0.0) * _DAY_S
    return Arrival(
        at_s=start_s, lifetime_s=None if ended is None else max(0.0, ended * _DAY_S - start_s),
        vcpus=_share(size["core"], host.vcpus), ram_mib=_share(size["memory"], host.ram_mib),
        disk_gib=max(_share(size["hdd"], host.disk_gib), _share(size["ssd"], host.disk_gib)),
        server=f"vm-{_text(row['vmId'])}", flavor=f"type-{_text(row['vmTypeId'])}",
    )  # fmt: skip


def _sizes(path: Path) -> dict[tuple[str, str], Cells]:
    return {(_text(row["vmTypeId"]), _text(row["machineId"])): row for row in _table(path, "vmType", _TYPE, None)}


def _busiest(requests: list[Cells], sizes: Mapping[tuple[str, str], Cells]) -> str:
    asked = Counter(_text(row["vmTypeId"]) for row in requests)
    taken: Counter[str] = Counter()
    for kind, machine in sizes:
        taken[machine] += asked[kind]
    return min(taken, key=lambda one: (-taken[one], len(one), one), default="")


def _is_wanted(row: Cells, priority: str | None) -> bool:
    return priority is None or _number(row["priority"]) == _PRIORITIES[priority]


def _share(fraction: Any, whole: int) -> int:
    """A fraction of a machine in whole units; rounded up, but not for what floats add to a whole."""
    return math.ceil((_number(fraction) or 0.0) * whole - 1e-6)


def _table(path: Path, name: str, columns: tuple[str, ...], limit: int | None) -> Iterator[Cells]:
    rows = _dump(path / f"{name}.csv") if path.is_dir() else _stored(path, name)
    for row in islice(rows, limit):
        if missing := [column for column in columns if column not in row]:
            raise Rejected(f"The table {name} of {path} has no column {missing[0]}: this is not the packing trace.")
        yield row


def _dump(path: Path) -> Iterator[Cells]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)
    except OSError as wrong:
        raise Rejected(f"{path} cannot be read: {wrong.strerror}.") from wrong


def _stored(path: Path, name: str) -> Iterator[Cells]:
    """Rows of a table of the trace's file, which is no database of ours: opened to read, and closed."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            file.row_factory = sqlite3.Row
            for row in file.execute(f"SELECT * FROM {name}"):  # noqa: S608 - one of our two names
                yield dict(row)
    except sqlite3.Error as wrong:
        raise Rejected(f"{path} cannot be read as the packing trace: {wrong}.") from wrong


def _number(cell: Any) -> float | None:
    if cell is None or (isinstance(cell, str) and cell.strip().upper() in ("", "NULL", "NONE")):
        return None
    try:
        return float(cell)
    except ValueError as wrong:
        raise Rejected(f"The packing trace has {str(cell)[:40]!r} where a number belongs.") from wrong


def _text(cell: Any) -> str:
    return str(cell).strip()
