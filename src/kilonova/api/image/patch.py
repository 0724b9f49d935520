"""
Changes to an image, as JSON patches in Glance's two dialects.

v2.1: `[{"op": "replace", "path": "/name", "value": "x"}]`; v2.0, as its draft had it: `[{"replace": "/name", "value": "x"}]`.
The document is flat, so a path is one segment. Attributes are set by `add` and `replace` alike and cannot be removed; a
property must be there to be replaced or removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple

from kilonova.api.framework import UNSET, Maybe, Meta, Params, size
from kilonova.api.image.fields import MAX_VALUE, SETTABLE, check_settable
from kilonova.domain.errors import Conflict, Denied, InvalidField, Rejected

MEDIA = ("application/openstack-images-v2.1-json-patch", "application/openstack-images-v2.0-json-patch")
_OPS = ("add", "replace", "remove")
Pointer = Annotated[str, Meta(max_length=512)]  # each of 255 characters may be written as two


class PatchOp(Params):
    """One operation, in either dialect."""

    op: Maybe[str] = UNSET
    path: Maybe[Pointer] = UNSET
    add: Maybe[Pointer] = UNSET
    replace: Maybe[Pointer] = UNSET
    remove: Maybe[Pointer] = UNSET
    value: Maybe[Annotated[Any, size(2 * MAX_VALUE)]] = UNSET


class Change(NamedTuple):
    """One operation as meant: `name` is the attribute or property."""

    op: str
    name: str
    value: Any


class Folded(NamedTuple):
    """What the operations come to: attributes to set, not yet checked, and all properties as they shall be."""

    attributes: dict[str, Any]
    properties: dict[str, Any]


def read(ops: Iterable[PatchOp]) -> list[Change]:
    """The operations as meant. Raises Rejected, or Denied for what nobody may set."""
    return [_change(op) for op in ops]


def fold(changes: Iterable[Change], properties: Mapping[str, str]) -> Folded:
    """Apply the changes in order. Raises Conflict for a property that is not there, Denied for the removal of an attribute."""
    attributes: dict[str, Any] = {}
    kept: dict[str, Any] = dict(properties)
    for change in changes:
        if change.name in SETTABLE:
            if change.op == "remove":
                raise Denied(f"Property {change.name} may not be removed.")
            attributes[change.name] = change.value
        elif change.op != "add" and change.name not in kept:
            raise Conflict(f"Property {change.name} does not exist.")
        elif change.op == "remove":
            del kept[change.name]
        else:
            kept[change.name] = change.value
    return Folded(attributes, kept)


def _change(op: PatchOp) -> Change:
    kind, pointer = _kind(op)
    name = _name(pointer)
    check_settable(name)
    if kind == "remove":
        return Change(kind, name, None)
    if op.value is UNSET:
        raise Rejected(f"Operation {kind} of {pointer[:255]} needs a value.")
    return Change(kind, name, op.value)


def _kind(op: PatchOp) -> tuple[str, str]:
    named = {kind: pointer for kind in _OPS if (pointer := getattr(op, kind)) is not UNSET}
    if op.op is not UNSET and op.path is not UNSET and not named:
        if op.op not in _OPS:
            raise InvalidField("op", f"{op.op[:64]!r} is not one of {', '.join(_OPS)}")
        return op.op, op.path
    if len(named) != 1 or op.op is not UNSET or op.path is not UNSET:
        raise Rejected(f"Each operation must be one of {', '.join(_OPS)}, and name one path.")
    return next(iter(named.items()))


def _name(pointer: str) -> str:
    name = pointer.removeprefix("/")
    if not name or not pointer.startswith("/") or "/" in name:
        raise Rejected(
            f"Invalid JSON pointer {pointer[:255]!r}.", next_step="Name an attribute or property, such as /name."
        )
    if "~" in name.replace("~0", "").replace("~1", ""):
        raise Rejected(f"Invalid JSON pointer {pointer[:255]!r}: '~' must be followed by 0 or 1.")
    return name.replace("~1", "/").replace("~0", "~")
