"""Stand-ins for what a driver is given: networking that only remembers, and images from memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from kilonova.domain.errors import Missing
from kilonova.domain.hostnet import HostNetwork


class RecordingNetwork:
    """Networking that converges nothing and keeps the list of what it was asked, as (method, argument)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def merge(self, part: HostNetwork) -> None:
        self.calls.append(("merge", part))

    def replace(self, state: HostNetwork) -> None:
        self.calls.append(("replace", state))

    def remove_server(self, server_id: str) -> None:
        self.calls.append(("remove_server", server_id))

    def tunnel_address(self) -> str:
        return "192.0.2.1"

    def addresses(self) -> tuple[str, ...]:
        return ("192.0.2.1",)

    def audit(self) -> dict[str, list[str]]:
        return {"taps": []}

    def close(self) -> None:
        self.calls.append(("close", None))

    def purge(self) -> None:
        self.calls.append(("purge", None))


class ImageShelf:
    """Images by id: bytes, or a file of them. Counts how often each was read."""

    def __init__(self, images: dict[str, bytes | Path] | None = None, *, chunk: int = 1 << 16) -> None:
        self.images = images or {}
        self.reads: dict[str, int] = {}
        self._chunk = chunk
        self._lock = Lock()

    def read(self, image_id: str) -> Iterator[bytes]:
        if image_id not in self.images:
            raise Missing("Image", image_id)
        with self._lock:
            self.reads[image_id] = self.reads.get(image_id, 0) + 1
        content = self.images[image_id]
        data = content.read_bytes() if isinstance(content, Path) else content
        for start in range(0, len(data), self._chunk):
            yield data[start : start + self._chunk]
