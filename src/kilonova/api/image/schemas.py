"""`/v2/schemas`: what images and members look like, as JSON schemas that old clients build their forms from."""

from __future__ import annotations

from typing import Any

from kilonova.api.framework import Query, Request, Route
from kilonova.domain.image import CONTAINER_FORMATS, DISK_FORMATS, MEMBER_STATUSES, VISIBILITIES

_UUID = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
_STATUSES = [
    "queued",
    "saving",
    "active",
    "killed",
    "deleted",
    "pending_delete",
    "deactivated",
    "uploading",
    "importing",
]


def _text(about: str, *, null: bool = True, limit: int | None = None, **more: Any) -> dict[str, Any]:
    bounded = {} if limit is None else {"maxLength": limit}
    return {"description": about, "type": ["null", "string"] if null else "string", **bounded, **more}


def _choice(about: str, known: tuple[str, ...]) -> dict[str, Any]:
    return {"description": about, "type": ["null", "string"], "enum": [None, *known]}


def _number(about: str, *, null: bool = False, **more: Any) -> dict[str, Any]:
    return {"description": about, "type": ["null", "integer"] if null else "integer", **more}


_OURS: dict[str, Any] = {"readOnly": True}
_EXTRA: dict[str, Any] = {"is_base": False}
IMAGE: dict[str, Any] = {
    "id": _text("An identifier for the image", null=False, pattern=_UUID),
    "name": _text("Descriptive name for the image", limit=255),
    "status": _text("Status of the image", null=False, enum=_STATUSES, **_OURS),
    "visibility": _text("Scope of image accessibility", null=False, enum=list(VISIBILITIES)),
    "owner": _text("Owner of the image", limit=255),
    "protected": {"description": "If true, image will not be deletable.", "type": "boolean"},
    "os_hidden": {"description": "If true, image will not appear in default image list response.", "type": "boolean"},
    "disk_format": _choice("Format of the disk", DISK_FORMATS),
    "container_format": _choice("Format of the container", CONTAINER_FORMATS),
    "size": _number("Size of image file in bytes", null=True, **_OURS),
    "virtual_size": _number("Virtual size of image in bytes", null=True, **_OURS),
    "min_disk": _number("Amount of disk space (in GB) required to boot image."),
    "min_ram": _number("Amount of ram (in MB) required to boot image."),
    "checksum": _text("md5 hash of image contents.", limit=32, **_OURS),
    "os_hash_algo": _text("Algorithm to calculate the os_hash_value", limit=64, **_OURS),
    "os_hash_value": _text("Hexdigest of the image contents", limit=128, **_OURS),
    "tags": {
        "description": "List of strings related to the image",
        "type": "array",
        "items": {"type": "string", "maxLength": 255},
    },
    "created_at": _text("Date and time of image registration", null=False, **_OURS),
    "updated_at": _text("Date and time of the last image modification", null=False, **_OURS),
    "self": _text("An image self url", null=False, **_OURS),
    "file": _text("An image file url", null=False, **_OURS),
    "schema": _text("An image schema url", null=False, **_OURS),
    "architecture": _text("Operating system architecture", null=False, **_EXTRA),
    "os_distro": _text("Common name of operating system distribution", null=False, **_EXTRA),
    "os_version": _text("Operating system version as specified by the distributor", null=False, **_EXTRA),
    "instance_uuid": _text("The server this image is a snapshot of", null=False, **_EXTRA),
    "kernel_id": _text("ID of the image used as the kernel", pattern=_UUID, **_EXTRA),
    "ramdisk_id": _text("ID of the image used as the ramdisk", pattern=_UUID, **_EXTRA),
}
MEMBER: dict[str, Any] = {
    "image_id": _text("An identifier for the image", null=False, pattern=_UUID),
    "member_id": _text("An identifier for the image member (tenantId)", null=False),
    "status": _text("The status of this image member", null=False, enum=list(MEMBER_STATUSES)),
    "created_at": _text("Date and time of image member creation", null=False),
    "updated_at": _text("Date and time of last modification of image member", null=False),
    "schema": {"type": "string", "readOnly": True},
}
_DESCRIBED_BY = {"rel": "describedby", "href": "{schema}"}
_IMAGE = {
    "name": "image",
    "properties": IMAGE,
    "additionalProperties": {"type": "string"},
    "links": [{"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"}, _DESCRIBED_BY],
}
_MEMBER = {"name": "member", "properties": MEMBER}


def image(_: Request[None, Query]) -> dict[str, Any]:
    """One image."""
    return _IMAGE


def images(_: Request[None, Query]) -> dict[str, Any]:
    """A page of images."""
    pages = {name: {"type": "string"} for name in ("first", "next", "schema")}
    links = [{"rel": name, "href": f"{{{name}}}"} for name in ("first", "next")]
    items = {"type": "array", "items": _IMAGE}
    return {"name": "images", "properties": {"images": items, **pages}, "links": [*links, _DESCRIBED_BY]}


def member(_: Request[None, Query]) -> dict[str, Any]:
    """One member."""
    return _MEMBER


def members(_: Request[None, Query]) -> dict[str, Any]:
    """All members of an image."""
    properties = {"members": {"type": "array", "items": _MEMBER}, "schema": {"type": "string"}}
    return {"name": "members", "properties": properties, "links": [_DESCRIBED_BY]}


ROUTES = (
    Route("GET", "/schemas/image", image),
    Route("GET", "/schemas/images", images),
    Route("GET", "/schemas/member", member),
    Route("GET", "/schemas/members", members),
)
