"""How much the image service takes."""

from __future__ import annotations

import msgspec

GIB = 1024**3


class ImageLimits(msgspec.Struct, frozen=True, kw_only=True):
    """
    Sizes in bytes; `project_*` are what one project may have in all, `properties_size` what the properties of one image may take,
    keys and all. `disk_reserve` is what uploads leave of the disk, which may hold the database too.

    `qcow2_expansion` is how many times its own size a qcow2 may unpack to, once that is more than `qcow2_unpacked`: a few
    megabytes that become a terabyte are made to hurt.
    """

    image_size: int = 1024 * GIB
    virtual_size: int = 1024 * GIB
    disk_reserve: int = GIB // 4
    project_images: int = 1000
    project_size: int = 2048 * GIB
    properties: int = 128
    properties_size: int = 64 * 1024
    tags: int = 128
    members: int = 128
    qcow2_expansion: int = 200
    qcow2_unpacked: int = 10 * GIB
