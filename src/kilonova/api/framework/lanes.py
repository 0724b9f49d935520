"""
Threads for requests, apart by what the requests are: those of one lane can fill it, and no other.

    requests   all that is nowhere else
    health     health and metrics
    hosts      what hosts ask; their downloads have threads of their own too
    logins     who proves who they are: up to what it takes to know whether their secret must be hashed
    hashing    hashing secrets, which takes a core for 20 ms
    known      the same of logins that are most likely right (`identity.throttle`)

A lane has a number of threads and of places to wait; beyond, 503 at once: a longer queue would only answer clients that left. Of
the places one client, by address, has half.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import anyio
import anyio.to_thread
import msgspec

from kilonova.api.settings import ApiSettings
from kilonova.domain.addresses import ip_client
from kilonova.domain.errors import Unavailable

T = TypeVar("T")
_OVERLOADED = "The API is overloaded."
_LATER = "Try again in a few seconds."


class Busy(Unavailable):
    """429: too much of what this caller asked for is under way."""

    status = 429
    code = "too_many_requests"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the rim takes at once. `threads`, `waiting` are the main lane's; `streams` threads move bytes of uploads and downloads,
    and no transfer keeps one while it waits for its client. `body_s` seconds are for a whole body that is no upload.
    """

    threads: int = 32
    waiting: int = 1024
    login_waiting: int = 256
    streams: int = 16
    uploads: int = 64
    downloads: int = 256
    project_uploads: int = 8
    project_downloads: int = 16
    host_downloads: int = 8
    websockets: int = 512
    project_websockets: int = 32
    websocket_idle_s: float = 1800.0
    event_streams: int = 1024
    project_event_streams: int = 64
    body_s: float = 60.0
    path: int = 4096

    @classmethod
    def of(cls, settings: ApiSettings) -> Limits:
        """As an API is set up."""
        return cls(
            threads=settings.threads,
            waiting=settings.waiting,
            login_waiting=settings.login_waiting,
            uploads=settings.uploads,
            downloads=settings.downloads,
            project_uploads=settings.project_uploads,
            project_downloads=settings.project_downloads,
            host_downloads=settings.host_downloads,
            websockets=settings.websockets,
            project_websockets=settings.project_websockets,
            websocket_idle_s=settings.websocket_idle_s,
            event_streams=settings.event_streams,
            project_event_streams=settings.project_event_streams,
            body_s=settings.body_s,
        )


class Lane:
    """One of them. Of the event loop's thread."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._pool, self._places = anyio.CapacityLimiter(threads), threads + waiting
        self._share = threads + (waiting + 1) // 2
        self._inside: Counter[str] = Counter()
        self._refused = 0

    async def run(self, client: str, what: Callable[..., T], *args: object) -> T:
        """Do it in a thread, for a client of this address. Raises Unavailable, Busy."""
        client = ip_client(client)
        if self._inside.total() >= self._places:
            self._refused += 1
            raise Unavailable(_OVERLOADED, next_step=_LATER)
        if self._inside[client] >= self._share:
            self._refused += 1
            raise Busy("Too many requests from this address are waiting.", next_step=_LATER)
        self._inside[client] += 1
        try:
            return await anyio.to_thread.run_sync(what, *args, limiter=self._pool)
        finally:
            self._inside[client] -= 1
            if not self._inside[client]:
                del self._inside[client]

    def counts(self) -> dict[str, int]:
        """What is in it, how much may be, and how much was refused."""
        return {"inside": self._inside.total(), "limit": self._places, "refused": self._refused}


def make_lanes(limits: Limits) -> Mapping[str, Lane]:
    """All of them. Hashing leaves a core to the others, where there are two."""
    hashers = max(1, (os.cpu_count() or 1) - 1)
    return {
        "requests": Lane(limits.threads, limits.waiting),
        "health": Lane(4, 64),
        "hosts": Lane(8, 256),
        "logins": Lane(4, limits.login_waiting),
        "hashing": Lane(hashers, limits.login_waiting),
        "known": Lane(hashers, limits.login_waiting),
    }
