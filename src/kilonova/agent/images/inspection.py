"""What a file really is. An image is a stranger's bytes: nothing parses them before this has looked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO, cast

from oslo_utils.imageutils import format_inspector

from kilonova.agent.hypervisor.failure import HostFailure
from kilonova.domain.machine import ImageRef
from kilonova.domain.report import HostFault

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


class Inspection:
    """
    Looks at an image's bytes as they pass: iterate over it, then ask `verdict`.

    qcow2 must have no backing file, no external data file and no unknown feature; whatever is not declared as a container
    format must not look like one, or a later reader might be led to open it as one.
    """

    def __init__(self, image: ImageRef, chunks: Iterable[bytes]) -> None:
        self._image = image
        # It only ever iterates over its source here, whatever its annotation asks for.
        self._wrapper = format_inspector.InspectWrapper(cast("IO[bytes]", iter(chunks)))

    def __iter__(self) -> Iterator[bytes]:
        """The chunks, unchanged."""
        yield from self._wrapper

    def verdict(self, size: int) -> int:
        """The virtual size in bytes of an image of `size` bytes, all of which have passed. Raises HostFailure."""
        found = {str(one): one for one in self._wrapper.formats or ()}
        declared = self._image.disk_format
        if frozenset(found) not in _ALLOWED.get(declared, ()):
            raise self._refusal(
                f"it is declared as {declared} but its content is {' and '.join(sorted(found)) or 'unknown'}"
            )
        if declared != "qcow2":
            return size
        try:
            found["qcow2"].safety_check()
            return int(found["qcow2"].virtual_size)
        except format_inspector.SafetyCheckFailed as unsafe:
            raise self._refusal(f"it fails the check of {', '.join(sorted(unsafe.failures))}") from unsafe
        except (format_inspector.ImageFormatError, ValueError) as broken:
            raise self._refusal("its header cannot be read") from broken

    def _refusal(self, why: str) -> HostFailure:
        return refusal(self._image, why)


def refusal(image: ImageRef, why: str) -> HostFailure:
    """No host can use this image."""
    return HostFailure(HostFault(message=f"Image {image.id} is refused: {why}.", code=400, elsewhere=False))
