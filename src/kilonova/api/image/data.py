"""`/v2/images/{image_id}/file`: bits in and out, never whole in memory."""

from __future__ import annotations

import re
from typing import Any

from kilonova.api.framework import Intake, Query, Reply, Request, Route, Stream
from kilonova.api.image.images import allow, target
from kilonova.domain.errors import Denied, InvalidField, KilonovaError, Unavailable, UnsupportedMedia
from kilonova.domain.image import Image, ImageStatus
from kilonova.image.catalog import scope_of
from kilonova.image.service import ImageService
from kilonova.image.upload import begin, is_readable
from kilonova.store.queries import images

OCTETS = "application/octet-stream"
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


class OutOfRange(KilonovaError):
    """416: there are no such bytes."""

    status = 416
    code = "out_of_range"


class ImageData:
    """An image's bits."""

    def __init__(self, service: ImageService) -> None:
        self._service = service

    def upload(self, req: Request[None, Query]) -> Intake:
        """Receive them."""
        media = req.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != OCTETS:
            raise UnsupportedMedia(f"Unsupported Content-Type {media[:64]!r}.", next_step=f"Send {OCTETS}.")
        allowed = allow(req, "upload_image")
        return Intake(begin(self._service, scope_of(req.ctx), req.path["image_id"], _length(req), allowed))

    def download(self, req: Request[None, Query]) -> Reply:
        """Send them, or the one range of them that was asked for; 204 for an image that has none yet."""
        with self._service.database.read() as tx:
            image = images.get(tx, scope_of(req.ctx), req.path["image_id"])
        req.authorize("download_image", target(image))
        if not is_readable(image):
            return Reply(None, status=204)
        if image.status is ImageStatus.DEACTIVATED and not req.can("context_is_admin"):
            raise Denied(f"The requested image {image.id} has been deactivated. Image data download is forbidden.")
        if not self._service.bits.has(image.id):
            raise Unavailable(f"The data of image {image.id} is not there.", next_step="Ask the cloud's operator.")
        return self._send(image, req.headers.get("range", ""))

    def _send(self, image: Image, wanted: str) -> Reply:
        size = image.size or 0
        part = read_range(wanted, size)
        start, length = part or (0, size)
        headers = {"Accept-Ranges": "bytes"}
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
        elif image.checksum is not None:
            headers["Content-MD5"] = image.checksum
        stream = Stream(self._service.bits.read(image.id, start, length), length)
        return Reply(stream, status=None if part is None else 206, headers=headers)


def read_range(text: str, size: int) -> tuple[int, int] | None:
    """Start and length of the one range asked for; None when none was, or several. Raises OutOfRange."""
    found = _RANGE.fullmatch(text.replace(" ", ""))
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if first:
        start, end = int(first), min(int(last or size - 1), size - 1)
    else:
        start, end = max(size - int(last), 0), size - 1
    if start > end:
        raise OutOfRange(f"The image has {size} bytes: the range {text[:64]} is not in it.")
    return start, end - start + 1


def _length(req: Request[Any, Any]) -> int | None:
    """What the client says of the size, in either of two headers. Raises InvalidField."""
    said = req.headers.get("x-openstack-image-size")
    if said is None:
        return req.length
    if not (said.isascii() and said.isdigit()) or len(said) > 18:
        raise InvalidField("X-OpenStack-Image-Size", "it is not a number of bytes")
    if req.length not in (None, int(said)):
        raise InvalidField("X-OpenStack-Image-Size", f"it is {said}, and Content-Length is {req.length}")
    return int(said)


_FILE = "/images/{image_id}/file"
ROUTES = (
    Route(
        "PUT",
        _FILE,
        ImageData.upload,
        status=204,
        policy="upload_image",
        late_policy=True,
        stream=True,
        media=(OCTETS,),
    ),
    Route("GET", _FILE, ImageData.download, policy="download_image", late_policy=True, stream=True),
)
