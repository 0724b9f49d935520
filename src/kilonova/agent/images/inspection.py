"""An image's bytes on their way to a host: the same look as the image service has, as a host trusts it no more than its users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kilonova.agent.failure import HostFailure
from kilonova.domain import image_format
from kilonova.domain.image_format import ImageRefused
from kilonova.domain.machine import ImageRef
from kilonova.domain.report import HostFault


class Inspection:
    """As `image_format.Inspection`, but what it refuses is a HostFailure."""

    def __init__(self, image: ImageRef, chunks: Iterable[bytes]) -> None:
        self._image = image
        self._inspection = image_format.Inspection(image.disk_format, chunks)

    def __iter__(self) -> Iterator[bytes]:
        """The chunks, unchanged."""
        try:
            yield from self._inspection
        except ImageRefused as refused:
            raise refusal(self._image, refused.why) from refused

    def verdict(self, size: int) -> int:
        """The virtual size in bytes of an image of `size` bytes, all of which have passed. Raises HostFailure."""
        try:
            return self._inspection.verdict(size)
        except ImageRefused as refused:
            raise refusal(self._image, refused.why) from refused


def refusal(image: ImageRef, why: str) -> HostFailure:
    """No host can use this image."""
    return HostFailure(HostFault(message=f"Image {image.id} is refused: {why}.", code=400, elsewhere=False))
