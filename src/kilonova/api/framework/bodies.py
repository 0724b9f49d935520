"""Bodies on the ASGI wire: read whole within a limit, drawn chunk by chunk from a worker thread, sent whole or as a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, MutableMapping
from typing import Any, TypeAlias

import anyio
import anyio.from_thread
import anyio.to_thread

from kilonova.api.framework.exchange import Body, Stream
from kilonova.api.framework.serve import Call, Response
from kilonova.domain.errors import Rejected, TooLarge

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Coroutine[Any, Any, MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

NO_BODY = {204, 205, 304}


class ClientGone(Exception):
    """The client went away; there is nobody to answer."""


async def read_body(call: Call, receive: Receive) -> bytes:
    """The whole body, unless it says or turns out to be larger than the service takes."""
    limit = call.service.max_body
    too_large = TooLarge(f"The request body is larger than the {limit} bytes this service takes.")
    declared = _length(call.headers)
    if declared is not None and declared > limit:
        raise too_large
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise too_large
        if not message.get("more_body", False):
            return b"".join(chunks)


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length", "")
    if text and not (text.isascii() and text.isdigit()):
        raise Rejected("Content-Length is not a number.")
    return int(text[:20]) if text else None


def incoming(call: Call, receive: Receive) -> Body:
    """The body of an upload, drawn from the worker thread; each chunk is one wait on the event loop."""

    def chunks() -> Iterator[bytes]:
        more = True
        while more:
            message = anyio.from_thread.run(receive)
            if message["type"] == "http.disconnect":
                raise Rejected("The upload broke off before its end.", next_step="Send it again.")
            if chunk := message.get("body", b""):
                yield chunk
            more = message.get("more_body", False)

    return Body(chunks(), _length(call.headers))


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
    if not isinstance(response.body, Stream):
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
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
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
