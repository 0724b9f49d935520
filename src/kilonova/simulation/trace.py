"""
A trace: servers that arrive, each with a size and a lifetime, as a CSV file (docs/simulation.md) and as structs.

Times are seconds from any beginning; what counts is the time since the first arrival.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.errors import Rejected
from kilonova.domain.server_group import GroupPolicy
from kilonova.simulation.sheets import read_csv

Amount = Annotated[int, Meta(ge=0)]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """A server that somebody asks for. Without a lifetime it stays to the end."""

    at_s: float
    vcpus: Amount
    ram_mib: Amount
    disk_gib: Amount
    lifetime_s: Annotated[float, Meta(ge=0)] | None = None
    server: str = ""
    flavor: str = ""
    project: str = ""
    zone: str | None = None
    group: str = ""
    policy: GroupPolicy = GroupPolicy.ANTI_AFFINITY  # of its group
    traits: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The flavor's name; its size, when it has none."""
        return self.flavor or f"{self.vcpus}c-{self.ram_mib}m-{self.disk_gib}g"

    def request(self) -> SchedulingRequest:
        """What the scheduler is asked."""
        return SchedulingRequest(
            server_id=self.server, project_id=self.project, vcpus=self.vcpus, ram_mib=self.ram_mib,
            disk_gib=self.disk_gib, flavor_id=self.kind, flavor_name=self.kind, availability_zone=self.zone,
            extra_specs={f"trait:{name}": "required" for name in self.traits},
            hints={"group": self.group} if self.group else {},
        )  # fmt: skip


def read_trace(path: Path, limit: int | None = None) -> list[Arrival]:
    """The arrivals of a CSV file in order of time, the first `limit` lines of it. Raises Rejected."""
    return in_order(islice(read_csv(path, Arrival), limit), str(path))


def in_order(arrivals: Iterable[Arrival], source: str) -> list[Arrival]:
    """The arrivals by time; of one moment, in the order they came. Raises Rejected when there are none."""
    found = sorted(arrivals, key=lambda one: one.at_s)
    if not found:
        raise Rejected(f"{source} has no arrivals.", next_step="See docs/simulation.md for the form of a trace.")
    return found


def write_trace(path: Path, arrivals: Iterable[Arrival]) -> None:
    """The file that `read_trace` reads. Raises Rejected when it cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            sheet = csv.writer(file)
            sheet.writerow(Arrival.__struct_fields__)
            sheet.writerows(_cells(one) for one in arrivals)
    except OSError as wrong:
        raise Rejected(f"{path} cannot be written: {wrong.strerror}.") from wrong


def _cells(one: Arrival) -> list[object]:
    values = msgspec.structs.asdict(one) | {
        "traits": " ".join(one.traits),
        "policy": one.policy.value if one.group else "",
    }
    return ["" if value is None else value for value in values.values()]
