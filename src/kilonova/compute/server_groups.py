"""Server groups: make and delete them, and have servers that are being booted join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied, Missing, OverQuota, Rejected
from kilonova.domain.server_group import GroupPolicy, ServerGroup
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import quotas, server_groups
from kilonova.store.queries.counters import next_number

_GROUPS, _MEMBERS = "server_groups", "server_group_members"


class ServerGroups:
    """Makes and deletes server groups."""

    def __init__(self, runtime: Runtime) -> None:
        self._database, self._clock, self._ids = runtime.db, runtime.clock, runtime.ids

    def create(self, ctx: RequestContext, name: str, policy: GroupPolicy, most: int | None = None) -> ServerGroup:
        """A new group of the caller's project; `most` servers per host. Raises Rejected, Denied or OverQuota."""
        if ctx.project_id is None or ctx.user_id is None:
            raise Denied("A server group belongs to a project: use a token scoped to one.")
        if most is not None and policy is not GroupPolicy.ANTI_AFFINITY:
            raise Rejected("Only anti-affinity policy supports rules.")
        new = ServerGroup(
            id=self._ids.uuid(), project_id=ctx.project_id, user_id=ctx.user_id, name=name, policy=policy,
            max_server_per_host=most, members=(), created_at=self._clock.now(),
        )  # fmt: skip
        with self._database.write() as tx:
            quotas.take(tx, new.project_id, {_GROUPS: 1}, quotas.limits(tx, new.project_id))
            server_groups.add(tx, new, next_number(tx, _GROUPS))
        return new

    def delete(self, ctx: RequestContext, group_id: str) -> None:
        """Delete a group; its servers stay where they are. Raises Missing."""
        with self._database.write() as tx:
            found = server_groups.locked_for_change(tx, ctx, group_id)
            server_groups.remove(tx, found)
            quotas.give_back(tx, found.project_id, {_GROUPS: 1})


def wanted_group(
    tx: Tx, ctx: RequestContext, hints: Mapping[str, str | list[str]], *, lock: bool
) -> ServerGroup | None:
    """
    The group that hints name; None when they name none. Raises Rejected for one that is not the project's.

    To be locked it is asked for before anything else is: a placement that has it waits for hosts, and who has those, for quotas.
    """
    group_id = hints.get("group")
    if not isinstance(group_id, str):
        return None
    find = server_groups.locked_for_change if lock else server_groups.get
    try:
        return find(tx, ctx, group_id)
    except Missing:
        raise Rejected(
            f"Instance group {group_id[:64]} could not be found.",
            next_step="See your groups with GET /os-server-groups.",
        ) from None


def join_group(tx: Tx, found: ServerGroup, server_ids: Sequence[str]) -> None:
    """Make new servers members of a group, which is locked. Raises OverQuota for more than its project may have in one."""
    held, limit = len(found.members), quotas.limits(tx, found.project_id)[_MEMBERS]
    if 0 <= limit < held + len(server_ids):
        raise OverQuota(_MEMBERS, requested=len(server_ids), used=held, limit=limit)
    server_groups.join(tx, found.id, server_ids)
