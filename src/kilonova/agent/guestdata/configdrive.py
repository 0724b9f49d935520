"""The config drive: guest data on an iso9660 disc labelled `config-2`, where cloud-init and its like look for it."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import PurePosixPath

from pycdlib import PyCdlib

LABEL = "config-2"


def config_drive(tree: Mapping[str, bytes]) -> bytes:
    """A disc with these files (paths without a leading slash), readable with Joliet, Rock Ridge or neither."""
    disc = PyCdlib()
    disc.new(interchange_level=3, vol_ident=LABEL, joliet=3, rock_ridge="1.09")
    try:
        names = _Names()
        for path in sorted(_folders(tree)):
            disc.add_directory(names.of(path), rr_name=path.name, joliet_path=f"/{path}")
        for text in sorted(tree):
            path = PurePosixPath(text)
            content = tree[text]
            disc.add_fp(
                BytesIO(content), len(content), f"{names.of(path)}.;1", rr_name=path.name, joliet_path=f"/{path}"
            )
        image = BytesIO()
        disc.write_fp(image)
        return image.getvalue()
    finally:
        disc.close()


def _folders(tree: Mapping[str, bytes]) -> set[PurePosixPath]:
    return {folder for text in tree for folder in PurePosixPath(text).parents if folder.name}


class _Names:
    """Plain ISO names, of which nothing reads more than that they differ: eight letters, digits and underscores."""

    def __init__(self) -> None:
        self._given: dict[PurePosixPath, str] = {}

    def of(self, path: PurePosixPath) -> str:
        """The whole ISO path, its parents' names included."""
        above = self.of(path.parent) if path.parent.name else ""
        name = self._given.setdefault(path, f"F{len(self._given):07d}")
        return f"{above}/{name}"
