"""How many uploads, downloads, websockets and event streams may be under way: of one project (or host), and in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from kilonova.api.framework.lanes import Busy, Limits
from kilonova.domain.errors import Unavailable

Kind = Literal["uploads", "downloads", "host downloads", "websockets", "event streams"]
_RETRY_AFTER_S = 10


@dataclass(slots=True)
class _Bound:
    each: int
    whole: int
    under_way: Counter[str] = field(default_factory=Counter)
    refused: int = 0


class Transfers:
    """Counts them. Of the event loop's thread."""

    def __init__(self, limits: Limits) -> None:
        self._bounds: dict[Kind, _Bound] = {
            "uploads": _Bound(limits.project_uploads, limits.uploads),
            "downloads": _Bound(limits.project_downloads, limits.downloads),
            "host downloads": _Bound(limits.host_downloads, limits.downloads),
            "websockets": _Bound(limits.project_websockets, limits.websockets),
            "event streams": _Bound(limits.project_event_streams, limits.event_streams),
        }

    @contextmanager
    def one(self, kind: Kind, holder: str) -> Iterator[None]:
        """One more, for as long as it takes. Raises Busy, Unavailable."""
        bound = self._bounds[kind]
        if bound.under_way[holder] >= bound.each:
            bound.refused += 1
            raise Busy(
                f"There are {bound.each} {kind} of {holder} under way, and no more are taken at once.",
                retry_after_s=_RETRY_AFTER_S,
                next_step="Wait until one has ended.",
            )
        if bound.under_way.total() >= bound.whole:
            bound.refused += 1
            raise Unavailable(
                f"Too many {kind} are under way.", retry_after_s=_RETRY_AFTER_S, next_step="Try again later."
            )
        bound.under_way[holder] += 1
        try:
            yield
        finally:
            bound.under_way[holder] -= 1
            if not bound.under_way[holder]:
                del bound.under_way[holder]

    def counts(self) -> dict[str, dict[str, int]]:
        """By kind: what is under way, how much may be, and how much was refused."""
        return {
            kind: {"inside": bound.under_way.total(), "limit": bound.whole, "refused": bound.refused}
            for kind, bound in self._bounds.items()
        }
