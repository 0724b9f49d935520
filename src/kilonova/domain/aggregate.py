"""Host aggregates: hosts that an operator groups, with facts about the group. A zone is what an aggregate calls itself."""

from __future__ import annotations

from datetime import datetime

import msgspec

ZONE_KEY = "availability_zone"
DEFAULT_ZONE = "nova"


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregate; `hosts` are names, `number` is the API's old integer id, `id` the UUID that Placement knows it by."""

    id: str
    number: int
    name: str
    metadata: dict[str, str]  # the zone's name among it
    hosts: tuple[str, ...]  # in order of their names
    created_at: datetime
    updated_at: datetime | None

    @property
    def zone(self) -> str | None:
        """The availability zone its hosts are in; None when it says nothing of it."""
        return self.metadata.get(ZONE_KEY)
