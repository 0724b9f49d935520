"""
Pack: hosts are emptied one after another, the one with the least RAM in use first, into the fullest hosts that take its servers.

A host is emptied wholly or not at all: half of it would cost as much and gain nothing. Targets are hosts in use, so the number of
hosts in use falls by one with each host emptied and never rises on the way.
"""

from __future__ import annotations

import numpy as np

from kilonova.rebalance.board import Board
from kilonova.rebalance.model import Move, PlanLimits, Resident
from kilonova.scheduler.fleet import RAM, SERVERS

MEASURE = "hosts in use"
_HOSTS_TRIED = 64  # those with the least in use; fuller ones are the targets


def measure(board: Board) -> float:
    """Hosts that have servers."""
    return float(np.count_nonzero(board.use[SERVERS][board.taking_part]))


def next_moves(board: Board, moved: set[str], left: PlanLimits) -> list[Move]:
    """The moves that empty the next host, made on the board; none when no host can be. `moved` are not moved again."""
    return next((done for source in _sources(board) if (done := _empty(board, source, moved, left))), [])


def _sources(board: Board) -> list[int]:
    """Hosts in use whose servers can all be moved, the emptiest first."""
    in_use = np.flatnonzero(board.taking_part & (board.use[SERVERS] > 0)).tolist()
    able = [place for place in in_use if len(board.movable(place)) == board.use[SERVERS, place]]
    return sorted(able, key=lambda place: (board.use[RAM, place], place))[:_HOSTS_TRIED]


def _empty(board: Board, source: int, moved: set[str], left: PlanLimits) -> list[Move]:
    """The moves that empty it; none, and nothing changed, when it cannot be within the limits."""
    leaving = sorted(board.movable(source), key=lambda one: (-one.request.ram_mib, -one.request.vcpus, one.server_id))
    if not left.allow([one.request.ram_mib for one in leaving]) or any(one.server_id in moved for one in leaving):
        return []
    before = measure(board)
    done: list[tuple[Resident, int]] = []
    for one in leaving:
        target = _fullest(board, one)
        if target is None:
            for back, _ in reversed(done):
                board.move(back, source)
            return []
        board.move(one, target)
        done.append((one, target))
    return _moves(board, done, before)


def _fullest(board: Board, one: Resident) -> int | None:
    """Of the hosts in use that may take it, the one that is fullest with it."""
    passing = board.targets(one) & (board.use[SERVERS] > 0)
    if not passing.any():
        return None
    filled = (board.shares() + board.shares_of(one)).sum(axis=0)
    return int(np.where(passing, filled, -1.0).argmax())


def _moves(board: Board, done: list[tuple[Resident, int]], before: float) -> list[Move]:
    told, of = [], len(done)
    for number, (one, target) in enumerate(done, start=1):
        name, ram = board.names[target], board.shares()[1, target]
        told.append(
            Move(
                server_id=one.server_id, server=one.name, source=one.host, target=name, ram_mib=one.request.ram_mib,
                gain=1 / of, measure=before - (number == of),
                reason=f"empties {one.host} ({number} of {of}); with all of them {name} is at {ram:.0%} of its RAM",
            )
        )  # fmt: skip
    return told
