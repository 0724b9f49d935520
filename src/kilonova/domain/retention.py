"""How long what is over is kept: settings, and what they come to at a moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

_DAYS = "Days; 0 keeps them for ever."
Days = Annotated[int, Meta(ge=0, le=36_500)]
Most = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How long the records of what is over are kept. Zero takes a limit away; of two limits the one that takes more counts.

    Nothing that a server which is there stands on is ever removed.
    """

    purge: Annotated[bool, Meta(description="Whether anything is removed at all.")] = True
    deleted_servers_days: Annotated[
        Days,
        Meta(description=f"How long deleted servers are kept, with all that was ever done to them. {_DAYS}"),
    ] = 30
    deleted_servers: Annotated[Most, Meta(description="How many of them are kept at most; 0: any number.")] = 100_000
    actions_days: Annotated[
        Days,
        Meta(description=f"How long timelines and explanations of servers that are there go back. {_DAYS}"),
    ] = 90
    events_days: Annotated[Days, Meta(description=f"How long events of servers are kept for readers. {_DAYS}")] = 7
    deleted_images_days: Annotated[
        Days, Meta(description=f"How long the records of deleted images are kept. {_DAYS}")
    ] = 30
    deleted_images: Annotated[Most, Meta(description="How many of them are kept at most; 0: any number.")] = 10_000


def before(days: int, now: datetime) -> datetime | None:
    """What ended before then is old; None: nothing is."""
    return now - timedelta(days=days) if days else None
