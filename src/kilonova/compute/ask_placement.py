"""
Ask where servers would go, without booting any: nothing is written, claimed or counted.

The request is that of a boot, resolved by the same code, so the scheduler is asked what it would be asked. What a boot checks
besides, quotas, keys, networks, has nothing to do with places and is left out.
"""

from __future__ import annotations

import msgspec

from kilonova.compute.boot_images import find_images
from kilonova.compute.devices import plan_devices
from kilonova.compute.hints import check_hints
from kilonova.compute.neighbours import Images
from kilonova.compute.request import BootRequest
from kilonova.compute.scheduling import resolve_subject
from kilonova.compute.server_groups import wanted_group
from kilonova.compute.supported import Supported
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied, Unavailable
from kilonova.domain.placement import Decision
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import PlacedSome, PlaceSome
from kilonova.runtime import Runtime


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the scheduler was asked, and what it said: a decision for each server, up to the first that finds no host."""

    request: SchedulingRequest
    decisions: tuple[Decision, ...]


class AskPlacement:
    """Asks where servers would go: call it with the caller's context and a request, of `min_count` servers."""

    def __init__(self, runtime: Runtime, *, images: Images, supported: Supported | None = None) -> None:
        self._database, self._bus, self._ids, self._images = runtime.db, runtime.bus, runtime.ids, images
        self._supported = supported or Supported()

    def __call__(self, ctx: RequestContext, request: BootRequest, *, sees_all: bool = False) -> Asked:
        """
        `sees_all`: the caller may know where everybody's servers are.

        Raises Rejected or Denied as a boot would, and Unavailable when no scheduler answers.
        """
        if ctx.project_id is None:
            raise Denied("A server belongs to a project: use a token scoped to one.")
        image = find_images(self._images, ctx, request.image_ref).image
        with self._database.read() as tx:
            subject = resolve_subject(tx, ctx.project_id, request, image, self._supported)
            plan_devices(request.devices, image, subject.flavor)
            wanted_group(tx, ctx, request.hints, lock=False)
            check_hints(tx, ctx, request.hints, sees_all=sees_all)
        asked = subject.request(self._ids.uuid(), ctx.project_id)
        return Asked(request=asked, decisions=self._decisions(ctx, asked, request.min_count))

    def _decisions(self, ctx: RequestContext, asked: SchedulingRequest, count: int) -> tuple[Decision, ...]:
        try:
            answer = self._bus.call("scheduler", PlaceSome(request=asked, count=count, request_id=ctx.request_id))
        except NoAnswer:
            raise Unavailable("No scheduler answers now.", next_step="kilonova status") from None
        if not isinstance(answer, PlacedSome):
            raise Unavailable("The scheduler could not decide now.", next_step="kilonova status")
        return answer.decisions
