"""
What must happen, beside what must not: once all is well and there is room, what is asked for comes to be; and a server fails for
nothing but what was done to its world.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kilonova.compute.request import BootRequest
from kilonova.compute.update import Changes
from kilonova.domain.context import RequestContext
from kilonova.domain.server import Lifecycle, PowerState, Server
from kilonova.store.queries import server_facts

if TYPE_CHECKING:
    from tests.dst.world import World

PROJECT = "canary"
_WITHIN_S = 300.0
_REST_S = 5.0
_REMOVED = re.compile(r"(\w+Filter) removed")
_NO_HOST = "No valid host was found. "
_NATURAL = {"ResourceFilter", "ServerGroupAntiAffinityFilter", "ServerGroupAffinityFilter"}
_STRUCK = {"ComputeFilter", "ExcludedHostsFilter"}  # a host was down, or has failed this server before

_ATTEMPT = re.compile(r" Attempt \d+ failed: ")
_SILENT = re.compile(r"Host \S+ stopped answering\.")
SPAWN_FAILED = "The disk is full."


def unexplained(message: str, faults: dict[str, int]) -> str:
    """Why a server's fault is none that this world's faults explain; empty when they do."""
    attempts = _ATTEMPT.split(message)
    if faults and all(one == SPAWN_FAILED or _SILENT.fullmatch(one) for one in attempts):
        missing = attempts.count(SPAWN_FAILED) - faults.get("spawn failed", 0)
        return f"{missing} attempts failed that nothing struck: {message!r}" if missing > 0 else ""
    if not message.startswith(_NO_HOST):
        return f"no cause that this world knows: {message!r}"
    removed = set(_REMOVED.findall(message))
    if not removed or removed - _NATURAL - _STRUCK:
        return f"refused by what this world does not ask for: {message!r}"
    if removed & _STRUCK and not faults:
        return f"hosts are said to have failed, and nothing struck them: {message!r}"
    return ""


class Canary:
    """One more server, when faults are over: made, renamed and deleted."""

    def __init__(self, world: World) -> None:
        self._world = world

    def problem(self) -> str:
        """What of it did not come to be; empty when all did."""
        self._make_room()
        request = BootRequest(name="canary", flavor_ref="small", image_ref=self._world.images.get().id)
        ident = self._world.api.boot(_OWNER, request).server_ids[0]
        server = self._when(ident, lambda one: one.lifecycle is not Lifecycle.BUILDING and one.saga is None)
        if (server.lifecycle, server.power_state) != (Lifecycle.BUILT, PowerState.RUNNING):
            return f"there was room, no fault was left, and it is {server.lifecycle}: {server.fault}"
        self._world.api.update(_OWNER, ident, Changes(name="renamed"))
        if self._get(ident).name != "renamed":
            return "it was not renamed"
        self._world.api.delete(_OWNER, ident)
        server = self._when(ident, lambda one: one.lifecycle is Lifecycle.DELETED)
        return "" if server.lifecycle is Lifecycle.DELETED else f"it was not deleted: {server.lifecycle}"

    def _make_room(self) -> None:
        """Delete servers until one host has a vCPU left."""
        full = "SELECT count(*) FROM hosts WHERE vcpus_used < json_extract(facts, '$.vcpus')"
        some = "SELECT id FROM servers WHERE lifecycle <> 'deleted' AND host IS NOT NULL ORDER BY id LIMIT 1"
        while not self._world.store.raw.execute(full).fetchone()[0]:
            ident = self._world.store.raw.execute(some).fetchone()[0]
            self._world.api.delete(_OPERATOR, ident)
            self._world.users.deleted.add(ident)
            self._when(ident, lambda one: one.lifecycle is Lifecycle.DELETED)

    def _when(self, ident: str, level: object) -> Server:
        """The server once it has come to this; as it is when it does not in time."""
        until = self._world.events.now_s + _WITHIN_S
        while not level(server := self._get(ident)) and self._world.events.now_s < until:  # type: ignore[operator]
            self._world.events.run(_REST_S)
        return server

    def _get(self, ident: str) -> Server:
        with self._world.store.transaction() as tx:
            return server_facts.get(tx, ident)


_OWNER = RequestContext(request_id="req-canary", user_id="somebody", project_id=PROJECT, roles=("member", "reader"))
_OPERATOR = RequestContext(
    request_id="req-canary", user_id="operator", project_id=PROJECT, roles=("admin",), is_admin=True, all_projects=True
)
