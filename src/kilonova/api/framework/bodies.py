"""
Bodies on the ASGI wire: read whole within a limit, handed on chunk by chunk, sent whole or as a stream.

Uploads and downloads take a worker thread for each chunk and none while they wait for their client.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, MutableMapping
from typing import Any, TypeAlias

import anyio
import anyio.to_thread

from kilonova.api.framework.exchange import Intake, Stream
from kilonova.api.framework.serve import Call, Response
from kilonova.domain.errors import KilonovaError, Rejected, TooLarge

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Coroutine[Any, Any, MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NO_BODY = {204, 205, 304}
CHUNK = 1 << 20
_PIECE = 1 << 18  # sent at once, so that little waits in memory for a slow client


class ClientGone(Exception):
    """The client went away; there is nobody to answer."""


class TooSlow(KilonovaError):
    """408: the body did not come in time."""

    status = 408
    code = "too_slow"


class Incoming:
    """A request's body as it comes in. `is_done`: all of it has, or there never was one."""

    def __init__(self, call: Call, receive: Receive) -> None:
        self._receive = receive
        headers = call.headers
        self.is_done = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers

    async def whole(self, most: int, seconds: float) -> bytes:
        """All of it, unless it is larger or slower than this. Raises TooLarge, TooSlow, ClientGone."""
        chunks, size = [], 0
        try:
            with anyio.fail_after(seconds):
                async for part in self._parts():
                    chunks.append(part)
                    size += len(part)
                    if size > most:
                        raise too_large(most)
        except TimeoutError:
            raise TooSlow(f"The request body did not end within {seconds:.0f} s.") from None
        return b"".join(chunks)

    async def chunks(self) -> AsyncIterator[bytes]:
        """It in chunks of a size that is cheap to look at: the inspection of images costs by the chunk. Raises ClientGone."""
        parts: list[bytes] = []
        have = 0
        async for part in self._parts():
            parts.append(part)
            have += len(part)
            if have >= CHUNK:
                yield b"".join(parts)
                parts, have = [], 0
        if have:
            yield b"".join(parts)

    async def _parts(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            more = message.get("more_body", False)
            self.is_done = not more
            yield message.get("body", b"")


def content_length(headers: Mapping[str, str]) -> int | None:
    """What a request says of its body's length. Raises Rejected."""
    text = headers.get("content-length", "")
    if text and not (text.isascii() and text.isdigit()):
        raise Rejected("Content-Length is not a number.")
    return int(text[:20]) if text else None


def too_large(limit: int) -> TooLarge:
    """What is said of a body that is."""
    return TooLarge(f"The request body is larger than the {limit} bytes this service takes.")


async def take_upload(intake: Intake, incoming: Incoming, pool: anyio.CapacityLimiter) -> None:
    """Hand an upload on, a thread for each chunk, and end it whatever happens. Raises ClientGone, or what its taker does."""
    try:
        await anyio.to_thread.run_sync(intake.step, None, limiter=pool)
        async for chunk in incoming.chunks():
            await anyio.to_thread.run_sync(intake.step, chunk, limiter=pool)
        await anyio.to_thread.run_sync(intake.step, b"", limiter=pool)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(intake.steps.close, limiter=pool)


async def send_response(send: Send, response: Response, method: str) -> None:
    """Status, headers, and the body unless that is a stream. Line breaks cannot get into headers."""
    headers = dict(response.headers)
    if response.status in NO_BODY:
        headers.pop("Content-Length", None)
    lines = [
        (name.lower().encode("latin-1"), " ".join(value.splitlines()).encode("latin-1", "replace"))
        for name, value in headers.items()
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": lines})
    if isinstance(response.body, bytes):
        body = b"" if method == "HEAD" or response.status in NO_BODY else response.body
        await send({"type": "http.response.body", "body": body})


async def send_stream(
    stream: Stream, receive: Receive, send: Send, pool: anyio.CapacityLimiter, *, wanted: bool
) -> None:
    """
    Draw the chunks in threads and send them, then close their source whatever happened.

    Who leaves half way is noticed beside, as servers swallow what is sent to nobody. Raises ClientGone, or what the source did.
    """
    chunks, gone = iter(stream.chunks), False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        group.cancel_scope.cancel()

    problem: Exception | None = None
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(watch)
            try:
                while (
                    wanted and (chunk := await anyio.to_thread.run_sync(next, chunks, None, limiter=pool)) is not None
                ):
                    for start in range(0, len(chunk), _PIECE):
                        await send(
                            {"type": "http.response.body", "body": chunk[start : start + _PIECE], "more_body": True}
                        )
                await send({"type": "http.response.body", "body": b""})
            except Exception as error:  # noqa: BLE001 -- carried out of the group, which would wrap it
                problem = error
            group.cancel_scope.cancel()
    finally:
        if (close := getattr(chunks, "close", None)) is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(close, limiter=pool)
    if problem is not None:
        raise problem
    if gone:
        raise ClientGone
