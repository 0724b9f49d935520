"""`/self/images/{image_id}`: the bits of an image, for a host that has a server of it. The host's own credential opens it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Protocol

from kilonova.api.framework import Query, Reply, Request, Route, Stream
from kilonova.api.image.data import read_range
from kilonova.compute.host_access import HostAccess
from kilonova.domain.errors import Missing, Unauthenticated
from kilonova.identity.throttle import LoginThrottle
from kilonova.runtime import Runtime
from kilonova.store.queries import images


class Bits(Protocol):
    """Where images' bits are kept; `image.bits.FileBits` fills it."""

    def has(self, image_id: str) -> bool:
        """Whether they are there."""

    def read(self, image_id: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bits, or `length` of them from `start` on, in chunks."""


class HostImages:
    """What hosts may read of images."""

    def __init__(self, runtime: Runtime, *, access: HostAccess, bits: Bits, throttle: LoginThrottle) -> None:
        self._database, self._access, self._bits, self._throttle = runtime.db, access, bits, throttle

    def download(self, req: Request[None, Query]) -> Reply:
        """All of them, or the one range of them that was asked for."""
        host, image_id = self._host(req), req.path["image_id"]
        self._access.check_image(host, image_id)
        with self._database.read() as tx:
            size = images.get_any(tx, image_id).size
        if size is None or not self._bits.has(image_id):
            raise Missing("Image data of", image_id)
        part = read_range(req.headers.get("range", ""), size)
        start, length = part or (0, size)
        headers = {"Accept-Ranges": "bytes"}
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        stream = Stream(self._bits.read(image_id, start, length), length, holder=f"host {host}")
        return Reply(stream, status=None if part is None else 206, headers=headers)

    def _host(self, req: Request[Any, Any]) -> str:
        """
        Which host asks. Raises Unauthenticated, TooManyAttempts.

        A right credential opens whatever went before: guessing is hopeless, and a guesser must not be able to keep a host out.
        """
        name, secret = _basic(req.headers.get("authorization", ""))
        try:
            return self._access.authenticate(name, secret, req.client)
        except Unauthenticated:
            self._throttle.refuse(name, req.client)
            raise


def _basic(header: str) -> tuple[str, str]:
    """Name and secret out of `Basic …`; empty ones out of anything else."""
    scheme, _, coded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return name[:255], secret


ROUTES = (
    Route("GET", "/self/images/{image_id}", HostImages.download, auth=False, lane="hosts", summary="Read an image as a host"),
)  # fmt: skip
