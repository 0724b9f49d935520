"""A plan of moves for a goal, within limits. Pure and greedy: the same of everything gives the same plan."""

from __future__ import annotations

from collections.abc import Sequence

from kilonova.rebalance import pack, spread
from kilonova.rebalance.board import Board
from kilonova.rebalance.model import Goal, Move, Plan, PlanLimits, Resident
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.ranking import Profile

_GOALS = {Goal.SPREAD: spread, Goal.PACK: pack}


def plan_moves(fleet: Fleet, residents: Sequence[Resident], profile: Profile, goal: Goal, limits: PlanLimits) -> Plan:
    """The moves that this fleet should see. No server is moved twice."""
    board, aim = Board(fleet, residents, profile), _GOALS[goal]
    before, left = aim.measure(board), limits
    made: list[Move] = []
    while following := aim.next_moves(board, {move.server_id for move in made}, left):
        made += following
        left = left.less(following)
    ended = "as many moves as are allowed" if not left.moves else "no further move within the limits gains anything"
    return Plan(
        goal=goal, measure=aim.MEASURE, before=before, after=aim.measure(board), moves=tuple(made),
        ram_mib=sum(move.ram_mib for move in made), hosts=int(board.taking_part.sum()), servers=len(residents),
        fixed=dict(sorted(board.fixed.items())), ended=ended,
    )  # fmt: skip
