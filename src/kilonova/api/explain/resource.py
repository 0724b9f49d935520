"""Two questions: why is this server where it is, and where would one like this go."""

from __future__ import annotations

from kilonova.api.compute.common import ELSEWHERE, or_none, scope
from kilonova.api.compute.servers.create import flavor_of, hints_of, place_of
from kilonova.api.explain.params import AskBody
from kilonova.api.explain.views import PlacementView, Showing
from kilonova.api.framework import PolicyRule, Query, Request, Route
from kilonova.compute.ask_placement import AskPlacement
from kilonova.compute.request import BootRequest
from kilonova.domain.placement import Choice, Decision
from kilonova.runtime import Runtime
from kilonova.store.queries import placements, server_specs, servers

_RULE = "kilonova:placement"


class Placements:
    """The resource. What is kept outlives the server, as its actions do."""

    def __init__(self, runtime: Runtime, *, ask: AskPlacement) -> None:
        self._database, self._ask = runtime.db, ask

    def show(self, req: Request[None, Query]) -> PlacementView:
        """Every decision on a server's place, in order."""
        with self._database.read() as tx:
            server = servers.get(tx, scope(req, f"{_RULE}:show"), req.path["server_id"], deleted=True)
            attempts = placements.of_server(tx, server.id)
            asked = None if attempts else server_specs.scheduling_of(tx, server.id)
        names = req.can(f"{_RULE}:hosts", {"project_id": server.project_id, "user_id": server.user_id})
        return Showing(with_names=names).kept(server.id, attempts, asked)

    def ask(self, req: Request[AskBody, Query]) -> PlacementView:
        """Where so many servers like this would go, one after another. Nothing is booked."""
        sent = req.params.placement
        request = BootRequest(
            name="", flavor_ref=flavor_of(sent.flavor_ref), image_ref=or_none(sent.image_ref), min_count=sent.count,
            max_count=sent.count, place=place_of(req, sent), hints=hints_of(req.params.hints),
            allow_zero_disk=req.can("os_compute_api:servers:create:zero_disk_flavor"),
        )  # fmt: skip
        sees_all = req.can(f"{_RULE}:hosts", ELSEWHERE)
        asked = self._ask(req.ctx, request, sees_all=sees_all)
        showing = Showing(with_names=sees_all)
        return showing.asked(asked.request, [_chosen(decision) for decision in asked.decisions], sent.count)


def _chosen(decision: Decision) -> Choice:
    """A decision as if its first candidate had been claimed."""
    why = decision.explanation.for_keeping()
    if not decision.candidates:
        return Choice(explanation=why)
    first = decision.candidates[0]
    return Choice(explanation=why, host=first.host, zone=first.zone, score=first.score)


ROUTES = (
    Route("GET", "/servers/{server_id}/placement", Placements.show, policy=f"{_RULE}:show", view=PlacementView,
          view_key="placement", summary="Show why a server is where it is"),
    Route("POST", "/placement", Placements.ask, policy=f"{_RULE}:ask", params=AskBody, view=PlacementView, only_asks=True,
          view_key="placement", summary="Ask where servers would go"),
)  # fmt: skip
POLICIES = (
    PolicyRule(f"{_RULE}:show", "reader", description="See why a server of the project is where it is"),
    PolicyRule(f"{_RULE}:ask", "member", description="Ask where a server would go"),
    PolicyRule(f"{_RULE}:hosts", "admin", description="See the names of hosts in both"),
)
