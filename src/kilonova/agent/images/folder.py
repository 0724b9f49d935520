"""Images' bits from the folder that the APIs keep them in: for hosts that share it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from kilonova.domain.errors import Missing

_CHUNK = 1024 * 1024
_SAFE_ID = re.compile(r"[0-9a-fA-F-]{1,36}")


class FolderImages:
    """Fills `agent.images.port.ImageSource`. What has an image's name there is whole: see `image/bits.py`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, image_id: str) -> Iterator[bytes]:
        """The bits, in chunks. Raises Missing when there are none."""
        if not _SAFE_ID.fullmatch(image_id):
            raise Missing("Image", image_id[:64])
        try:
            file = (self._folder / image_id).open("rb", buffering=0)
        except FileNotFoundError:
            raise Missing("Image data of", image_id) from None
        with file:
            while chunk := file.read(_CHUNK):
                yield chunk
