"""A message on its way to the broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


def _ignore(_: bool) -> None:  # noqa: FBT001 - fills a callback's place
    pass


@dataclass
class Letter:
    """
    A message on its way. `exchange` "": the one that its sender speaks through. `until` is on the monotonic clock; later than
    that it is not sent.

    Of what is about one `subject` (not "") the newest alone matters, and nobody asks what becomes of it. With `is_patient` it
    waits where its queue is full; without, it is given up.
    """

    key: str
    body: bytes
    properties: dict[str, Any]
    headers: dict[str, Any] = field(default_factory=dict)
    mandatory: bool = False
    until: float | None = None
    exchange: str = ""
    subject: str = ""
    is_patient: bool = True
    done: Callable[[bool], None] = _ignore
