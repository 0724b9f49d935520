"""What clients may say of an image, in a new one and in a change."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec

from kilonova.api.framework import UNSET, Maybe, Meta, Params, reads, rest, size
from kilonova.domain.errors import Denied, InvalidField
from kilonova.domain.image import CONTAINER_FORMATS, DISK_FORMATS, VISIBILITIES

MAX_VALUE = 65535
READ_ONLY = frozenset({
    "id", "status", "checksum", "size", "virtual_size", "created_at", "updated_at", "self", "file", "schema", "direct_url",
    "os_hash_algo", "os_hash_value",
})  # fmt: skip
NAMING_IMAGES = ("kernel_id", "ramdisk_id")
"""Properties that a boot acts on: they name other images."""
RESERVED = frozenset({"location", "locations", "deleted", "deleted_at", "is_public", "properties"})


def one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    """A check that names what there is."""

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"{value[:64]!r} is not supported: use one of {', '.join(known)}")
        return value

    return check


def check_id(value: str) -> str:
    """A UUID with its hyphens; given back in lower case."""
    try:
        plain = str(uuid.UUID(value))
    except ValueError:
        plain = ""
    if not plain or plain != value.lower():
        raise ValueError(f"{value[:64]!r} is not a UUID")
    return plain


def check_value(value: Any) -> str:
    """A property's value: a text."""
    if not isinstance(value, str):
        raise ValueError("a property is a string: put the value in quotes")  # noqa: TRY004 -- the framework's word for no
    if len(value) > MAX_VALUE:
        raise ValueError(f"it has more than {MAX_VALUE} characters")
    return value


def check_settable(name: str) -> None:
    """Raise Denied for an attribute that is ours to say."""
    if name in READ_ONLY:
        raise Denied(f"Attribute '{name}' is read-only.")
    if name in RESERVED:
        raise Denied(f"Attribute '{name}' is reserved.")


def check_naming(properties: Mapping[str, str]) -> None:
    """Raise InvalidField where a property that names an image holds no id. Whether there is such an image, the boot asks."""
    for name in NAMING_IMAGES:
        if name in properties:
            try:
                check_id(properties[name])
            except ValueError as problem:
                raise InvalidField(name, str(problem)) from None


Text = Annotated[str, Meta(max_length=255)]
Tag = Annotated[str, Meta(min_length=1, max_length=255)]
Amount = Annotated[int, Meta(ge=0, le=2**31 - 1)]
PropertyName = Annotated[str, Meta(min_length=1, max_length=255)]
PropertyValue = Annotated[str, size(2 * MAX_VALUE), reads(check_value, Any)]
DiskFormat = Annotated[str, reads(one_of(DISK_FORMATS))]
ContainerFormat = Annotated[str, reads(one_of(CONTAINER_FORMATS))]
Visibility = Annotated[str, reads(one_of(VISIBILITIES))]
Properties = dict[PropertyName, PropertyValue]


class ImageFields(Params):
    """The attributes that people set. `os_hidden` keeps it out of lists; sizes in GiB (min_disk) and MiB (min_ram)."""

    name: Maybe[Text | None] = UNSET
    visibility: Maybe[Visibility] = UNSET
    protected: Maybe[bool] = UNSET
    os_hidden: Maybe[bool] = UNSET
    owner: Maybe[Text | None] = UNSET
    tags: Maybe[Annotated[list[Tag], Meta(max_length=256)]] = UNSET
    disk_format: Maybe[DiskFormat | None] = UNSET
    container_format: Maybe[ContainerFormat | None] = UNSET
    min_disk: Maybe[Amount] = UNSET
    min_ram: Maybe[Amount] = UNSET


class CreateImage(ImageFields):
    """A new image; what is none of its attributes is a property."""

    id: Maybe[Annotated[str, reads(check_id)]] = UNSET
    properties: Annotated[Properties, rest()] = msgspec.field(default_factory=dict)


SETTABLE = frozenset(ImageFields.__struct_fields__)
_OURS = {"os_hidden": "hidden"}


def given(fields: ImageFields) -> dict[str, object]:
    """What was sent, under the names of `domain.image.Image`."""
    sent = {name: value for name in SETTABLE if (value := getattr(fields, name)) is not UNSET}
    if "tags" in sent:
        sent["tags"] = tuple(dict.fromkeys(sent["tags"]))
    return {_OURS.get(name, name): value for name, value in sent.items()}
