"""
What an image's bytes really are. They are a stranger's: nothing parses them before this has looked.

Looking needs no file: the bytes pass through, and the verdict is asked for in the end. It is the same on the way into the image
service and on the way out of it to a host, as neither need trust the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, Any, cast

from oslo_utils.imageutils import format_inspector

from kilonova.domain.errors import Rejected

# What the inspector may find for each declared format. A boot sector is found as "gpt", also in a kernel and in an ISO
# made for USB sticks; all of them are handed on as flat bytes, so a table of partitions inside is the guest's own business.
_FLAT: tuple[frozenset[str], ...] = (frozenset({"raw"}), frozenset({"gpt"}))
_ALLOWED: dict[str, tuple[frozenset[str], ...]] = {
    "raw": _FLAT,
    "ami": _FLAT,
    "aki": _FLAT,
    "ari": _FLAT,
    "iso": (frozenset({"iso"}), frozenset({"iso", "gpt"})),
    "qcow2": (frozenset({"qcow2"}),),
}
_PADDING = bytes(512)


class ImageRefused(Rejected):
    """400: these bits may not be an image. `why` begins in the middle of a sentence."""

    code = "rejected.image"

    def __init__(self, why: str) -> None:
        super().__init__(f"The image's data is refused: {why}.")
        self.why = why


class Inspection:
    """
    Looks at an image's bytes as they pass: iterate over it, then ask `verdict`.

    qcow2 must have no backing file, no external data file and no unknown feature; whatever is not declared as a container
    format must not look like one, or a later reader might be led to open it as one. Iterating raises ImageRefused as soon as
    the bytes cannot be what they were declared as.
    """

    def __init__(self, disk_format: str, chunks: Iterable[bytes]) -> None:
        self._declared = disk_format
        expected = disk_format if disk_format in ("qcow2", "iso") else None
        # It only ever iterates over its source here, whatever its annotation asks for.
        source = cast("IO[bytes]", _padded(chunks))
        self._wrapper = format_inspector.InspectWrapper(source, expected_format=expected)

    def __iter__(self) -> Iterator[bytes]:
        """The chunks, unchanged."""
        try:
            for chunk in self._wrapper:
                if chunk is not _PADDING:
                    yield chunk
        except format_inspector.ImageFormatError as mismatch:
            raise ImageRefused(f"it is declared as {self._declared}, and its content is not that") from mismatch

    def verdict(self, size: int) -> int:
        """The virtual size in bytes of an image of `size` bytes, all of which have passed. Raises ImageRefused."""
        found = {str(one): one for one in self._wrapper.formats or ()}
        if frozenset(found) not in _ALLOWED.get(self._declared, ()):
            content = " and ".join(sorted(found)) or "unknown"
            raise ImageRefused(f"it is declared as {self._declared} but its content is {content}")
        if self._declared == "qcow2":
            return _qcow2_size(found["qcow2"])
        if self._declared == "iso" and found["iso"].virtual_size > size:
            raise ImageRefused(
                f"it is truncated: its volume has {found['iso'].virtual_size} bytes, and {size} are there"
            )
        return size


def _padded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, then zeros if they were few: QEMU reads a short file as if they were there, the inspectors would not look."""
    size = 0
    for chunk in chunks:
        size += len(chunk)
        yield chunk
    if 0 < size < len(_PADDING):
        yield _PADDING


def _qcow2_size(found: Any) -> int:
    try:
        found.safety_check()
        return int(found.virtual_size)
    except format_inspector.SafetyCheckFailed as unsafe:
        raise ImageRefused(f"it fails the check of {', '.join(sorted(unsafe.failures))}") from unsafe
    except (format_inspector.ImageFormatError, ValueError) as broken:
        raise ImageRefused("its header cannot be read") from broken
