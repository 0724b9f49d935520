"""What should be moved, and why. Carrying a plan out needs live migration, which hosts cannot do yet: that is refused."""

from __future__ import annotations

from typing import Annotated, NoReturn

from kilonova.api.framework import UNSET, Maybe, Meta, PolicyRule, Query, Request, Route, View
from kilonova.domain.errors import Conflict
from kilonova.rebalance.model import Goal, Plan, PlanLimits
from kilonova.rebalance.records import Rebalancing

_RULE = "kilonova:rebalance"


class AskPlan(Query, strict=True):
    """The goal and the limits; RAM in MiB, as much as wished when it is not said."""

    goal: Goal = Goal.SPREAD
    max_moves: Annotated[int, Meta(ge=1, le=1000)] = 20
    max_ram: Maybe[Annotated[int, Meta(ge=1, le=2**40)]] = UNSET


class MoveView(View):
    """One move. `measure` is the goal's measure after it and those before it; RAM in MiB."""

    server_id: str
    server: str
    source: str
    target: str
    ram: int
    gain: float
    measure: float
    reason: str


class PlanView(View):
    """Moves in order; `fixed` says how many servers are to stay for what reason."""

    goal: str
    measure: str
    before: float
    after: float
    moves: list[MoveView]
    ram: int
    hosts: int
    servers: int
    fixed: dict[str, int]
    ended: str


class Rebalances:
    """The resource."""

    def __init__(self, rebalancing: Rebalancing) -> None:
        self._rebalancing = rebalancing

    def plan(self, req: Request[None, AskPlan]) -> PlanView:
        """What should be moved now."""
        asked = req.query
        limits = PlanLimits(moves=asked.max_moves, ram_mib=None if asked.max_ram is UNSET else asked.max_ram)
        return _view(self._rebalancing.plan(asked.goal, limits))

    def apply(self, _req: Request[None, Query]) -> NoReturn:
        """Refused."""
        raise Conflict(
            "The plan is not carried out: its moves are live migrations, and hosts of this cloud cannot migrate servers yet.",
            next_step="Take the plan as advice: GET /kilonova/v1/rebalance shows it, and nothing was moved.",
        )

    def undo(self, _req: Request[None, Query]) -> NoReturn:
        """Refused."""
        raise Conflict(
            "There is nothing to undo: no plan was ever carried out, as hosts of this cloud cannot migrate servers yet.",
            next_step="GET /kilonova/v1/rebalance shows what should be moved now.",
        )


def _view(plan: Plan) -> PlanView:
    moves = [
        MoveView(
            server_id=move.server_id, server=move.server, source=move.source, target=move.target, ram=move.ram_mib,
            gain=move.gain, measure=move.measure, reason=move.reason,
        )
        for move in plan.moves
    ]  # fmt: skip
    return PlanView(
        goal=plan.goal.value, measure=plan.measure, before=plan.before, after=plan.after, moves=moves, ram=plan.ram_mib,
        hosts=plan.hosts, servers=plan.servers, fixed=plan.fixed, ended=plan.ended,
    )  # fmt: skip


ROUTES = (
    Route("GET", "/rebalance", Rebalances.plan, policy=f"{_RULE}:plan", query=AskPlan, view=PlanView,
          view_key="rebalance", summary="Plan moves of servers"),
    Route("POST", "/rebalance/apply", Rebalances.apply, policy=f"{_RULE}:apply", summary="Carry a plan out"),
    Route("POST", "/rebalance/undo", Rebalances.undo, policy=f"{_RULE}:apply", summary="Take a plan back"),
)  # fmt: skip
POLICIES = (
    PolicyRule(f"{_RULE}:plan", "admin", description="See what servers should be moved"),
    PolicyRule(f"{_RULE}:apply", "admin", description="Move servers by a plan, or back"),
)
