"""
What a handler is given (`Request`) and what it may give back.

`Reply`, `Page`, `Stream`, `Intake`, a view, a list of views, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from kilonova.api.framework.versions import Version
from kilonova.domain.context import RequestContext

P = TypeVar("P")
Q = TypeVar("Q")


class Authoriser(Protocol):
    """What a handler may ask about the caller's rights; `policy.Policy` fills it."""

    def authorize(self, ctx: RequestContext, rule: str, target: Mapping[str, Any] | None = None) -> None:
        """Raise Denied unless `ctx` may do `rule` to `target`."""

    def can(self, ctx: RequestContext, rule: str, target: Mapping[str, Any] | None = None) -> bool:
        """Whether `ctx` may do `rule` to `target`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Generic[P, Q]):
    """
    One authenticated, authorised and decoded request.

    `base_url` is where this service's API lives, with the project if the client had it in the URL (for `self` links);
    `root_url` is the same without the version (for `bookmark` links). Neither ends in a slash. `client` is the address the
    request came from, empty where there is none. `length` is the Content-Length, None where there is none. `ticket` is what a
    `Postponed` of this request held, once its time has come.
    """

    ctx: RequestContext
    version: Version
    path: Mapping[str, str]
    params: P
    query: Q
    headers: Mapping[str, str]
    base_url: str
    root_url: str
    url: str
    query_string: str
    policy: Authoriser
    client: str = ""
    length: int | None = None
    ticket: object = None

    def can(self, rule: str, target: Mapping[str, Any] | None = None) -> bool:
        """Whether the caller may do `rule`; `target` defaults to a thing of the caller's own project."""
        return self.policy.can(self.ctx, rule, target)

    def authorize(self, rule: str, target: Mapping[str, Any] | None = None) -> None:
        """Raise Denied unless `can`."""
        self.policy.authorize(self.ctx, rule, target)


@dataclass(frozen=True, slots=True)
class Page:
    """
    A list reply.

    With `view_key="servers"`: `{"servers": [...], "servers_links": links}`, links left out when empty, and `extra` laid beside
    them (Keystone's `links`, Glance's `first`, `next`, `schema`).
    """

    items: Sequence[Any]
    links: Sequence[Mapping[str, str]] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stream:
    """
    A streaming reply: `chunks` is drawn in worker threads, and closed whatever happens.

    Let a generator open its own source: one that was never started has no `finally` to run. `holder` is whose download it is, in
    words, where that is not the caller's project.
    """

    chunks: Iterable[bytes]
    length: int | None = None
    content_type: str = "application/octet-stream"
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Intake:
    """
    What takes an upload: a generator that is sent its chunks, and b"" at their end. The reply is sent when it ends.

    Each step is in a worker thread, not always the same; none is held while the client is waited for. It is closed whatever
    happens, so let it undo what it did when it is (GeneratorExit).
    """

    steps: Generator[None, bytes | None, None]

    def step(self, chunk: bytes | None) -> None:
        """Take a chunk, or None to begin."""
        with suppress(StopIteration):
            self.steps.send(chunk)


@dataclass(frozen=True, slots=True)
class Reply:
    """More than a body: another status than the route's, headers (`Location`), or no body at all (None)."""

    body: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[..., Any]
"""`(Request[P, Q]) -> View | list[View] | Page | Stream | Intake | Reply | None`; as a method, with `self` before."""
