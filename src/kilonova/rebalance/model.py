"""A plan of moves, and what it is made from."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from kilonova.domain.boot import SchedulingRequest


class Goal(StrEnum):
    """What moves are to achieve."""

    SPREAD = "spread"  # hosts are used alike: its measure is the imbalance of hosts
    PACK = "pack"  # hosts are emptied: its measure is the number of hosts in use


class PlanLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan may cost. RAM is what a live migration copies, so MiB moved are the bandwidth it takes."""

    moves: int = 20
    ram_mib: int | None = None

    def allow(self, ram_mib: Sequence[int]) -> bool:
        """Whether servers of these sizes may all be moved."""
        return len(ram_mib) <= self.moves and (self.ram_mib is None or sum(ram_mib) <= self.ram_mib)

    def less(self, moves: Sequence[Move]) -> PlanLimits:
        """What is left of them after some moves."""
        left = None if self.ram_mib is None else self.ram_mib - sum(move.ram_mib for move in moves)
        return PlanLimits(moves=self.moves - len(moves), ram_mib=left)


class Resident(msgspec.Struct, frozen=True, kw_only=True):
    """A server on a host. `request` is what the scheduler was asked when it was placed, with the sizes that are claimed."""

    server_id: str
    name: str
    host: str
    request: SchedulingRequest
    fixed: str = ""  # why it cannot be moved, if it cannot


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """
    One live migration to be. Moves are made one after another, in order.

    `gain` is by how much the measure falls, `measure` what it is afterwards; of the moves that empty one host, each has its part.
    """

    server_id: str
    server: str
    source: str
    target: str
    ram_mib: int
    gain: float
    measure: float
    reason: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Moves in order, the goal's measure before and after them, how many servers stay for what reason, and why it ends there."""

    goal: Goal
    measure: str
    before: float
    after: float
    moves: tuple[Move, ...]
    ram_mib: int
    hosts: int
    servers: int
    fixed: dict[str, int]
    ended: str
