"""Server groups: servers that are to be kept together, or apart."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec


class GroupPolicy(StrEnum):
    """How a group's servers are spread over hosts. The soft ones are wishes, and only weigh."""

    AFFINITY = "affinity"
    ANTI_AFFINITY = "anti-affinity"
    SOFT_AFFINITY = "soft-affinity"
    SOFT_ANTI_AFFINITY = "soft-anti-affinity"


class GroupRule(msgspec.Struct, frozen=True, kw_only=True):
    """What a group asks of a placement. `max_per_host` is how many of its servers one host may have, of anti-affinity only."""

    policy: GroupPolicy
    max_per_host: int = 1

    def allows(self, host: str, counts: dict[str, int]) -> bool:
        """Whether one more server may go on `host`, with `counts` of the group's other servers there and elsewhere."""
        if self.policy is GroupPolicy.ANTI_AFFINITY:
            return counts.get(host, 0) < self.max_per_host
        if self.policy is GroupPolicy.AFFINITY:
            return not counts or host in counts
        return True


class ServerGroup(msgspec.Struct, frozen=True, kw_only=True):
    """One group; `members` are the ids of its servers that are not deleted, oldest first."""

    id: str
    project_id: str
    user_id: str
    name: str
    policy: GroupPolicy
    max_server_per_host: int | None  # None: not said, which for anti-affinity is 1
    members: tuple[str, ...]
    created_at: datetime

    @property
    def rule(self) -> GroupRule:
        """What it asks of a placement."""
        return GroupRule(policy=self.policy, max_per_host=self.max_server_per_host or 1)
