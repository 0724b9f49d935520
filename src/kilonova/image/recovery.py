"""
What a crash leaves of uploads and deletions, and how it goes away.

Takes no arguments but the world, and may run at any time: what lives is told from what is dead by the lock on an upload's part.
"""

from __future__ import annotations

from kilonova.domain.image import ImageStatus
from kilonova.image.service import ImageService
from kilonova.store.database import Database
from kilonova.store.queries import images

_WITH_BITS = (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED)


def recover(service: ImageService) -> None:
    """Queue again what a dead process was uploading, and remove bits that belong to no image. Idempotent."""
    service.bits.sweep()
    with service.database.read() as tx:
        uploads = images.uploads(tx)
    for image_id, upload in uploads:
        if service.bits.is_receiving(image_id, upload):
            continue
        with service.database.write() as tx:
            if images.requeue(tx, image_id, upload, service.clock.now()):
                service.bits.delete(image_id)  # named, but never committed
    for image_id in _ownerless(service):
        service.bits.delete(image_id)


def audit(service: ImageService) -> dict[str, list[str]]:
    """What should not be there, by kind; empty lists are the only good answer."""
    with service.database.read() as tx:
        uploads, whole = images.uploads(tx), images.with_status(tx, *_WITH_BITS)
    return {
        "image_parts": service.bits.parts(),
        "image_bits_without_record": _ownerless(service),
        "image_records_without_bits": sorted(whole - service.bits.ids()),
        "image_uploads_of_nobody": [one for one, upload in uploads if not service.bits.is_receiving(one, upload)],
    }


def with_bits(database: Database) -> set[str]:
    """The ids of all images that have bits, by the records."""
    with database.read() as tx:
        return images.with_status(tx, *_WITH_BITS)


def _ownerless(service: ImageService) -> list[str]:
    """Bits of no image. The files are listed before the records are read: bits that are about to be committed are `saving`."""
    there = service.bits.ids()
    with service.database.read() as tx:
        owned = images.with_status(tx, *_WITH_BITS, ImageStatus.SAVING)
    return sorted(there - owned)
