"""The ports to images: where a host gets their bits from, and its cache of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from kilonova.domain.machine import ImageRef


class ImageSource(Protocol):
    """Where a host gets an image's bits from."""

    def read(self, image_id: str) -> Iterator[bytes]:
        """The bits, in chunks. Raises Missing when there is no such image or it has no bits."""


class Images(Protocol):
    """The images that a host keeps."""

    def cache_image(self, image: ImageRef) -> None:
        """Fetch an image ahead of need. Does not wait for it, nor say what became of it."""
