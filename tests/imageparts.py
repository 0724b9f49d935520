"""Images made by hand, good and bad, and an image service to send them to."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from kilonova.api.framework import Policy, Rim
from kilonova.api.image import POLICIES, image_service
from kilonova.domain.clock import Clock, Ids, SystemClock
from kilonova.image.bits import FileBits
from kilonova.image.limits import ImageLimits
from kilonova.image.service import ImageService
from kilonova.store.database import Database
from tests.apiclient import client
from tests.fakes.auth import FakeAuthenticator

CLUSTER = 512
COVERED = CLUSTER * CLUSTER // 8
"""Bytes that one table of clusters maps."""
OCTETS = {"Content-Type": "application/octet-stream"}
BASE = "/image/v2/images"


def build(
    database: Database, folder: Path, *, limits: ImageLimits | None = None, clock: Clock | None = None
) -> ImageService:
    return ImageService(
        database=database, clock=clock or SystemClock(), ids=Ids(), bits=FileBits(folder / "images"),
        limits=limits or ImageLimits(),
    )  # fmt: skip


def rim(service: ImageService) -> Rim:
    return Rim([image_service(service)], authenticator=FakeAuthenticator(), policy=Policy(POLICIES))


def api(service: ImageService, token: str) -> TestClient:
    return client(rim(service), token)


def queued(api: TestClient, disk_format: str = "raw", **changes: Any) -> str:
    """The id of a new image that waits for its bits."""
    sent = {"name": "n", "disk_format": disk_format, "container_format": "bare", **changes}
    reply = api.post(BASE, json=sent)
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def sent(api: TestClient, ident: str, content: Any) -> Any:
    return api.put(f"{BASE}/{ident}/file", content=content, headers=OCTETS)


def active(api: TestClient, content: bytes = b"bits of an image", disk_format: str = "raw", **changes: Any) -> str:
    """The id of an image with these bits."""
    ident = queued(api, disk_format, **changes)
    reply = sent(api, ident, content)
    assert reply.status_code == 204, reply.text
    return ident


def qcow2(
    *,
    version: int = 3,
    virtual: int = COVERED,
    backing: int = 0,
    crypt: int = 0,
    features: int = 0,
    bits: int = 9,
    snapshots: int = 0,
    l1: Sequence[int] = (4 * CLUSTER,),
    l1_entries: int | None = None,
    l2: Sequence[int] = (5 * CLUSTER,),
    clusters: int = 6,
) -> bytes:
    """
    A qcow2 of a few clusters: header, refcount table and block, first table (cluster 3), second table (4), data (5).

    `l1` and `l2` are the tables' entries; `clusters` is where the file ends.
    """
    entries = len(l1) if l1_entries is None else l1_entries
    head = struct.pack(
        ">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", version, backing, 8 if backing else 0, bits, virtual, crypt, entries,
        3 * CLUSTER, CLUSTER, 1, snapshots, 0, features, 0, 0, 4, 104,
    )  # fmt: skip
    parts = (head, b"", b"", struct.pack(f">{len(l1)}Q", *l1), struct.pack(f">{len(l2)}Q", *l2), b"x" * CLUSTER)
    whole = b"".join(part.ljust(CLUSTER, b"\0") for part in parts)
    return whole.ljust(clusters * CLUSTER, b"\0")[: clusters * CLUSTER]


def iso(blocks: int = 20, *, there: int | None = None) -> bytes:
    """An ISO 9660 volume of so many blocks of 2048 bytes, of which `there` are there."""
    head = bytearray(2048)
    head[0:7] = b"\x01CD001\x01"
    head[80:88] = struct.pack("<L", blocks) + struct.pack(">L", blocks)
    head[128:132] = struct.pack("<H", 2048) + struct.pack(">H", 2048)
    whole = bytes(16 * 2048) + bytes(head)
    return whole.ljust(blocks * 2048, b"\0")[: (blocks if there is None else there) * 2048]


def boot_sector() -> bytes:
    """What raw disks and kernels begin with."""
    return bytes(510) + b"\x55\xaa" + bytes(1024)
