"""What people ask of a world, and what they were told: boots, groups, deletes at any moment, updates, lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kilonova.compute.request import BootRequest
from kilonova.compute.update import Changes
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import KilonovaError
from kilonova.domain.server_group import GroupPolicy
from kilonova.store.queries import servers
from tests.dst.events import DECLARED, Killed
from tests.dst.store import FLAVORS, PROJECTS

if TYPE_CHECKING:
    from tests.dst.world import World

IMAGE = "11111111-2222-4333-8444-555555555555"
_VERBS = ("boot", "boot", "boot", "delete", "delete", "update", "list")


class Users:
    """They ask at moments that chance picks. `accepted` servers were answered with 202, and so were the `deleted`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.accepted: set[str] = set()
        self.deleted: set[str] = set()
        self.groups: dict[str, tuple[str, GroupPolicy]] = {}  # by id: the project's, and its rule

    def plan(self, asks: int, within_s: float) -> None:
        """Ask so often, some time."""
        chance = self.world.chance
        if chance.happens(0.6):
            self._later(0.0, "group")
        for _ in range(asks):
            self._later(chance.between(0.0, within_s), chance.pick(_VERBS))

    def _later(self, delay_s: float, verb: str) -> None:
        self.world.events.after(delay_s, None, f"somebody wants to {verb}", lambda: self._ask(verb))

    def _ask(self, verb: str) -> None:
        """One request, in the API's process; whatever goes wrong there, the user is told nothing but that."""
        world, life = self.world, self.world.api.life
        if life.is_over:
            return
        ctx = _context(world.chance.pick(PROJECTS))
        try:
            getattr(self, f"_{verb}")(ctx)
        except Killed as killed:
            if killed.life is not life:
                raise
        except KilonovaError as refused:
            world.chance.note("refused", verb, type(refused).__name__)
        except Exception as error:  # noqa: BLE001 - a 500: what was asked for may have been done or not
            world.chance.raised("unknown", verb, error, DECLARED)

    def _boot(self, ctx: RequestContext) -> None:
        chance = self.world.chance
        mine = sorted(group for group, (project, _) in self.groups.items() if project == ctx.project_id)
        request = BootRequest(
            name="vm", flavor_ref=chance.pick(sorted(FLAVORS)), image_ref=IMAGE, max_count=chance.pick((1, 1, 1, 2, 3)),
            hints={"group": chance.pick(mine)} if mine and chance.happens(0.7) else {},
        )  # fmt: skip
        self.accepted.update(self.world.api.boot(ctx, request).server_ids)

    def _delete(self, ctx: RequestContext) -> None:
        ident = self._some_server()
        if ident is not None:
            self.world.api.delete(_context("", is_admin=True), ident)
            self.deleted.add(ident)

    def _update(self, ctx: RequestContext) -> None:
        ident = self._some_server()
        if ident is not None:
            self.world.api.update(_context("", is_admin=True), ident, Changes(name="renamed"))

    def _list(self, ctx: RequestContext) -> None:
        with self.world.api.db.read() as tx:
            for ident in sorted(self.accepted - self.deleted)[:2]:
                servers.get(tx, _context("", is_admin=True), ident)

    def _group(self, ctx: RequestContext) -> None:
        policy = self.world.chance.pick((GroupPolicy.ANTI_AFFINITY, GroupPolicy.AFFINITY))
        self.groups[self.world.api.groups.create(ctx, "g", policy).id] = (str(ctx.project_id), policy)

    def _some_server(self) -> str | None:
        there = sorted(self.accepted - self.deleted)
        return self.world.chance.pick(there) if there else None


def _context(project: str, *, is_admin: bool = False) -> RequestContext:
    return RequestContext(
        request_id="req-dst", user_id="somebody", project_id=project or PROJECTS[0], roles=("member", "reader"),
        is_admin=is_admin, all_projects=is_admin,
    )  # fmt: skip
