"""
Spread: each move takes a server from one of the fullest hosts to where the imbalance falls most.

Imbalance: the root of the mean, over vCPUs, RAM and disk, of the variance of the used part over the hosts that take part. A move
changes two hosts, so what it would make of the sums behind the variance is known for all targets at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from kilonova.rebalance.board import Board
from kilonova.rebalance.model import Move, PlanLimits, Resident
from kilonova.scheduler.columns import Floats
from kilonova.scheduler.fleet import DISK, RAM, VCPUS

MEASURE = "imbalance"
WORTH = 0.005  # a move that gains less, times the hosts, is not worth its traffic: it changes two hosts of however many
_HOSTS_TRIED = 16  # the fullest ones; when none of them can gain, the plan ends
_WORDS = {VCPUS: "vCPUs", RAM: "RAM", DISK: "disk"}


@dataclass(frozen=True, slots=True)
class _Best:
    one: Resident
    target: int
    after: float


def measure(board: Board) -> float:
    """The imbalance; 0 is best."""
    parts = board.shares()[:, board.taking_part]
    return math.sqrt(float(parts.var(axis=1).mean())) if parts.shape[1] else 0.0


def next_moves(board: Board, moved: set[str], left: PlanLimits) -> list[Move]:
    """The next move, made on the board; none when no move is worth it. Servers of `moved` are not moved again."""
    before = measure(board)
    best = _best_move(board, moved, left, before)
    return [] if best is None else [_made(board, best, before)]


def _best_move(board: Board, moved: set[str], left: PlanLimits, before: float) -> _Best | None:
    load = np.where(board.taking_part, board.shares().sum(axis=0), -1.0)
    for source in np.argsort(-load, kind="stable")[:_HOSTS_TRIED].tolist():
        found: _Best | None = None
        for one in board.movable(source):
            if one.server_id in moved or not left.allow([one.request.ram_mib]):
                continue
            passing = board.targets(one)
            if not passing.any():
                continue
            after = np.where(passing, _after(board, source, one), np.inf)
            target = int(after.argmin())
            if found is None or after[target] < found.after:
                found = _Best(one, target, float(after[target]))
        if found is not None and (before - found.after) * board.taking_part.sum() >= WORTH:
            return found
    return None


def _after(board: Board, source: int, one: Resident) -> Floats:
    """The imbalance were it on each of the hosts."""
    parts, wanted, count = board.shares(), board.shares_of(one), int(board.taking_part.sum())
    here = parts[:, board.taking_part]
    left, was = parts[:, [source]] - wanted[:, [source]], parts[:, [source]]
    total = here.sum(axis=1, keepdims=True) + left - was + wanted
    squares = (here**2).sum(axis=1, keepdims=True) + left**2 - was**2 + (parts + wanted) ** 2 - parts**2
    variances = np.maximum(squares / count - (total / count) ** 2, 0.0)
    figures: Floats = np.sqrt(variances.mean(axis=0))
    return figures


def _made(board: Board, best: _Best, before: float) -> Move:
    source, shares = board.names.index(best.one.host), board.shares()
    resource = int(shares[:, source].argmax())
    was = shares[resource, [source, best.target]]
    board.move(best.one, best.target)
    now, after = board.shares()[resource, [source, best.target]], measure(board)
    name, other = best.one.host, board.names[best.target]
    return Move(
        server_id=best.one.server_id, server=best.one.name, source=name, target=other, ram_mib=best.one.request.ram_mib,
        gain=before - after, measure=after,
        reason=(
            f"{name} is at {was[0]:.0%} of its {_WORDS[resource]} and {other} at {was[1]:.0%}; "
            f"then {now[0]:.0%} and {now[1]:.0%}"
        ),
    )  # fmt: skip
