"""
The images a boot is made from, found once, when it is accepted: the one that is named, and the kernel and ramdisk that it names.

Each is looked for with the caller's eyes, since an image's properties are whatever its owner wrote, and must be usable now. What
comes out is complete: whoever builds the server is told what to fetch and how to know it, and asks for no image's record again.

That a kernel exists is not asked when an image that names it is made: as in Glance, it may come, or be shared, later.
"""

from __future__ import annotations

import msgspec

from kilonova.compute.neighbours import Images
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.image import Image, ImageStatus
from kilonova.domain.machine import ImageRef

_KINDS = {"kernel": "aki", "ramdisk": "ari"}


class BootImages(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; all None for a boot that names no image."""

    image: Image | None = None
    kernel: ImageRef | None = None
    ramdisk: ImageRef | None = None

    @property
    def kernel_args(self) -> str | None:
        """The command line for the kernel, as the image has it."""
        return None if self.image is None else self.image.properties.get("os_command_line")


def find_images(images: Images, ctx: RequestContext, image_ref: str | None) -> BootImages:
    """What a boot from this image needs; read before any transaction, as it may be another service's. Raises Rejected."""
    if not image_ref:
        return BootImages()
    try:
        image = images.get(ctx, image_ref)
    except Missing:
        raise Rejected(
            "Invalid imageRef provided.", next_step=f"Image {image_ref[:64]} is not one you can see."
        ) from None
    return BootImages(
        image=image, kernel=_part(images, ctx, image, "kernel"), ramdisk=_part(images, ctx, image, "ramdisk")
    )


def check_active(image: Image) -> None:
    """See that an image can be used: it has its bits, and nobody switched it off. Raises Rejected."""
    if image.status is not ImageStatus.ACTIVE:
        raise Rejected(f"Image {image.id} is not active.")


def ref_of(image: Image) -> ImageRef:
    """What a host needs to fetch an image and to know that it got that one."""
    return ImageRef(
        id=image.id, disk_format=image.disk_format or "raw", size=image.size or 0, sha512=image.sha512,
        virtual_size=image.virtual_size,
    )  # fmt: skip


def _part(images: Images, ctx: RequestContext, image: Image, part: str) -> ImageRef | None:
    ident = image.properties.get(f"{part}_id")
    if not ident:
        return None
    try:
        found = images.get(ctx, ident)
    except Missing:
        raise Rejected(
            f"Image {image.id} names {ident[:64]} as its {part}, which is not an image you can see.",
            next_step=f"Set its {part}_id to an image of your own, or have that one shared with your project.",
        ) from None
    check_active(found)
    kind = _KINDS[part]
    if found.disk_format not in (kind, "raw") or found.container_format not in (kind, "bare"):
        raise Rejected(
            f"Image {found.id} cannot be the {part} of image {image.id}: its disk format is {found.disk_format}, in a container "
            f"of format {found.container_format}, and a {part} is {kind} (or raw, and bare)."
        )
    return ref_of(found)
