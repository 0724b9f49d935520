"""What a handler is given (`Request`) and what it may give back (`Reply`, `Page`, `Stream`, a view, a list of views, None)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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


class Body:
    """
    The raw body of a `stream=True` route: iterate for chunks, or `read` for exact sizes. Readable once.

    `length` is the Content-Length, None when chunked. Raises Rejected if the client goes away half way.
    """

    def __init__(self, chunks: Iterable[bytes] = (), length: int | None = 0) -> None:
        self._chunks, self.length, self._left = iter(chunks), length, b""

    def __iter__(self) -> Iterator[bytes]:
        if self._left:
            left, self._left = self._left, b""
            yield left
        yield from self._chunks

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, fewer only at the end; all that is left for a negative size."""
        parts, have = [], 0
        while size < 0 or have < size:
            chunk = self._left or next(self._chunks, b"")
            self._left = b""
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        whole = b"".join(parts)
        if 0 <= size < len(whole):
            whole, self._left = whole[:size], whole[size:]
        return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Generic[P, Q]):
    """
    One authenticated, authorised and decoded request.

    `base_url` is where this service's API lives, with the project if the client had it in the URL (for `self` links);
    `root_url` is the same without the version (for `bookmark` links). Neither ends in a slash. `client` is the address the
    request came from, empty where there is none.
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
    body: Body
    policy: Authoriser
    client: str = ""

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

    Let a generator open its own source: one that was never started has no `finally` to run.
    """

    chunks: Iterable[bytes]
    length: int | None = None
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Reply:
    """More than a body: another status than the route's, headers (`Location`), or no body at all (None)."""

    body: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[..., Any]
"""`(Request[P, Q]) -> View | list[View] | Page | Stream | Reply | None`; as a method, with `self` before."""
