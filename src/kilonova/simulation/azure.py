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
import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from kilonova.domain.errors import Rejected
from kilonova.simulation.fleet import HostGroup
from kilonova.simulation.trace import Arrival, in_order

_DAY_S = 86400.0
_VM = ("vmId", "vmTypeId", "priority", "starttime", "endtime")
_TYPE = ("vmTypeId", "machineId", "core", "memory", "hdd", "ssd")
_PRIORITIES = {"high": 0.0, "low": 1.0}


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken of a trace: the requests for one machine, of one priority, the first of them, a share drawn by a seed."""

    machine: str | None = None  # the one that takes most requests
    priority: str | None = None  # high or low; else both
    limit: int | None = None
    share: float = 1.0
    seed: int = 1


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a trace: for which machine, and how many requests were left out as it cannot take them."""

    arrivals: list[Arrival]
    machine: str
    left_out: int


class _Request(NamedTuple):
    """A line of the trace, small: there are millions. Times in days."""

    ident: str
    kind: str
    began: float
    ended: float | None


class _Size(NamedTuple):
    """What a type takes of a machine."""

    core: float
    memory: float
    disk: float


_Sizes = Mapping[tuple[str, str], _Size]  # by type and machine


def convert(path: Path, host: HostGroup, part: Part) -> Converted:
    """
    The arrivals on machines that are as large as `host`.

    `path` is the SQLite file, or the folder with vm.csv and vmType.csv. Raises Rejected.
    """
    requests, sizes = list(_requests(path, part)), _sizes(path)
    machine = part.machine or _busiest(requests, sizes)
    machines = {named for _, named in sizes}
    if machine not in machines:
        known = ", ".join(sorted(machines, key=lambda one: (len(one), one)))
        raise Rejected(f"{path} has no machine {machine}.", next_step=f"The machines are {known}.")
    fitting = [one for one in requests if (one.kind, machine) in sizes]
    arrivals = (_arrival(one, sizes[one.kind, machine], host) for one in fitting)
    return Converted(arrivals=in_order(arrivals, str(path)), machine=machine, left_out=len(requests) - len(fitting))


def _requests(path: Path, part: Part) -> Iterator[_Request]:
    rng = random.Random(part.seed)  # noqa: S311 - variety, no secret
    for ident, kind, priority, began, ended in islice(_table(path, "vm", _VM), part.limit):
        is_wanted = part.priority is None or _number(priority) == _PRIORITIES[part.priority]
        if is_wanted and (part.share >= 1 or rng.random() < part.share):
            yield _Request(str(ident), str(kind), _number(began) or 0.0, _number(ended))


def _sizes(path: Path) -> _Sizes:
    return {
        (str(kind), str(machine)): _Size(
            _number(core) or 0.0, _number(memory) or 0.0, max(_number(hdd) or 0.0, _number(ssd) or 0.0)
        )
        for kind, machine, core, memory, hdd, ssd in _table(path, "vmType", _TYPE)
    }


def _busiest(requests: list[_Request], sizes: _Sizes) -> str:
    asked = Counter(one.kind for one in requests)
    taken: Counter[str] = Counter()
    for kind, machine in sizes:
        taken[machine] += asked[kind]
    return min(taken, key=lambda one: (-taken[one], len(one), one), default="")


def _arrival(one: _Request, size: _Size, host: HostGroup) -> Arrival:
    start_s = max(0.0, one.began) * _DAY_S
    return Arrival(
        at_s=start_s, lifetime_s=None if one.ended is None else max(0.0, one.ended * _DAY_S - start_s),
        vcpus=_whole(size.core * host.vcpus), ram_mib=_whole(size.memory * host.ram_mib),
        disk_gib=_whole(size.disk * host.disk_gib), server=f"vm-{one.ident}", flavor=f"type-{one.kind}",
    )  # fmt: skip


def _whole(amount: float) -> int:
    """Rounded up, but not for what floats add to a whole."""
    return math.ceil(amount - 1e-6)


def _table(path: Path, name: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    return _dump(path / f"{name}.csv", columns) if path.is_dir() else _stored(path, name, columns)


def _dump(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if missing := [name for name in columns if name not in (rows.fieldnames or ())]:
                raise Rejected(f"{path} has no column {missing[0]}: this is not the packing trace.")
            for row in rows:
                yield tuple((row[name] or "").strip() for name in columns)
    except OSError as wrong:
        raise Rejected(f"{path} cannot be read: {wrong.strerror}.") from wrong


def _stored(path: Path, name: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Rows of a table of the trace's file, which is no database of ours: opened to read, and closed."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            yield from file.execute(f"SELECT {', '.join(columns)} FROM {name}")  # noqa: S608 - names of our own
    except sqlite3.Error as wrong:
        raise Rejected(f"{path} cannot be read as the packing trace: {wrong}.") from wrong


def _number(cell: Any) -> float | None:
    if cell is None or (isinstance(cell, str) and cell.upper() in ("", "NULL", "NONE")):
        return None
    try:
        return float(cell)
    except ValueError as wrong:
        raise Rejected(f"The packing trace has {str(cell)[:40]!r} where a number belongs.") from wrong
