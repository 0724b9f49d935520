"""
What a request or a response looks like, in every microversion at once.

A `Shape` is a msgspec struct that is the *superset* of what its resource ever was: handlers see only that. Each field says in
its annotation in which versions it is on the wire, and under which name. `compile_in` and `compile_out` turn a shape
into one wire struct for each stretch of versions in which nothing about it changes; a value out of its range is UNSET.

Markers, all inside `Annotated[...]` and in any order, beside `msgspec.Meta`:

- `since("2.19")`, `until("2.56")`, `between("2.3", "2.46")`: where the field exists. Two fields may share a wire name if
  their ranges are disjoint.
- `wire("OS-EXT-SRV-ATTR:host")`: its name on the wire, where it is not the attribute's own.
- `becomes("2.90", TYPE)`: from that version on the wire type is TYPE (limits changed, a value was added). Repeatable.
- `required(since("2.37"))`: in that range the client must send it, although the field has a default.
- `reads(fn, wire_type)`: the wire value (of `wire_type`, if it differs) is turned into the declared type by `fn`, which
  raises ValueError with the reason. `fn` may just check. Ready-made ones are in `types`.
- `size(4096)`: of JSON without a type (`Any`, `dict[str, Any]`): how many bytes it may take.
- `rest()`: on one `dict[str, ...]` field: unknown keys land here (decode) and are laid out flat beside the others (encode).
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, TypeVar, Union, dataclass_transform, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, UNSET, UnsetType

from kilonova.api.framework.versions import ALWAYS, UNVERSIONED, Version, VersionRange

T = TypeVar("T")
Maybe = Union[T, UnsetType]  # noqa: UP007 -- an alias that takes a type
"""A field that may be absent: UNSET is absent, None is the JSON null."""


class WireName(msgspec.Struct, frozen=True):
    """See `wire`."""

    name: str


class Becomes(msgspec.Struct, frozen=True):
    """See `becomes`."""

    first: Version
    type: Any


class Required(msgspec.Struct, frozen=True):
    """See `required`."""

    within: VersionRange


class Reads(msgspec.Struct, frozen=True):
    """See `reads`."""

    fn: Callable[[Any], Any]
    wire_type: Any = None


class Rest(msgspec.Struct, frozen=True):
    """See `rest`."""


class Size(msgspec.Struct, frozen=True):
    """See `size`."""

    limit: int


def wire(name: str) -> WireName:
    """The field's name on the wire."""
    return WireName(name)


def becomes(first: str, type_: Any) -> Becomes:
    """From version `first` on, the wire type is `type_`."""
    return Becomes(Version.parse(first), type_)


def required(within: VersionRange = ALWAYS) -> Required:
    """The client must send the field in these versions, although it has a default."""
    return Required(within)


def reads(fn: Callable[[Any], Any], wire_type: Any = None) -> Reads:
    """Convert or check the decoded value with `fn`; ValueError's text becomes the user's message."""
    return Reads(fn, wire_type)


def rest() -> Rest:
    """All keys that no other field names."""
    return Rest()


def size(limit: int) -> Size:
    """At most so many bytes of JSON, in place of `bounds.FREE_BYTES`."""
    return Size(limit)


class ShapeMeta(msgspec.StructMeta):
    """Makes every shape keyword-only, and takes the class keyword `strict` (inherited)."""

    def __new__(  # noqa: PYI034
        mcls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        strict: VersionRange | bool | None = None,
        **options: Any,
    ) -> ShapeMeta:  # mypy knows no Self in a metaclass
        if strict is not None:
            namespace["__strict__"] = strict
        return super().__new__(mcls, name, bases, namespace, **{"kw_only": True, "gc": False, **options})


@dataclass_transform(kw_only_default=True, field_specifiers=(msgspec.field,))
class Shape(msgspec.Struct, metaclass=ShapeMeta):
    """
    Base of all wire types.

    `strict=` says in which versions an unknown key is refused: True, False, or a range (`strict=since("2.75")`); elsewhere it is
    ignored.
    """

    __strict__: typing.ClassVar[VersionRange | bool] = True


class Params(Shape):
    """A request body (or part of one). Unknown keys are refused unless `strict=False`."""


class Query(Shape, strict=False):
    """A query string. Lists take repeated keys. Unknown keys are ignored unless `strict=` says otherwise."""


class View(Shape):
    """A response body (or part of one)."""


class FieldSpec(msgspec.Struct, frozen=True):
    """One field of a shape as declared: `attr` in Python, `name` on the wire."""

    attr: str
    name: str
    within: VersionRange
    type: Any
    optional: bool
    required: tuple[VersionRange, ...]
    becomes: tuple[Becomes, ...]
    is_rest: bool

    def type_at(self, version: Version) -> Any:
        """The wire type in one version."""
        later = [change.type for change in self.becomes if change.first <= version]
        return later[-1] if later else self.type

    def required_at(self, version: Version) -> bool:
        """Whether a client must send it in one version."""
        return not self.optional or any(version in within for within in self.required)


def flatten(tp: Any) -> tuple[Any, tuple[Any, ...]]:
    """Split `Annotated[T, a, b]` into `(T, (a, b))`; any other type has no marks."""
    if get_origin(tp) is Annotated:
        base, *marks = get_args(tp)
        return base, tuple(marks)
    return tp, ()


def is_union(tp: Any) -> bool:
    """Whether the type is `A | B` in either spelling."""
    return get_origin(tp) in (Union, types.UnionType)


def _spec(attr: str, hint: Any, default: Any) -> FieldSpec:
    base, marks = flatten(hint)
    kept = tuple(m for m in marks if not isinstance(m, (VersionRange, WireName, Becomes, Required, Rest)))
    changes = sorted((m for m in marks if isinstance(m, Becomes)), key=lambda m: m.first)
    return FieldSpec(
        attr=attr,
        name=next((m.name for m in marks if isinstance(m, WireName)), attr),
        within=next((m for m in marks if isinstance(m, VersionRange)), ALWAYS),
        type=Annotated[(base, *kept)] if kept else base,
        optional=default is not NODEFAULT,
        required=tuple(m.within for m in marks if isinstance(m, Required)),
        becomes=tuple(changes),
        is_rest=any(isinstance(m, Rest) for m in marks),
    )


@functools.cache
def fields_of(shape: type[Shape]) -> tuple[FieldSpec, ...]:
    """The declared fields in order. Raises TypeError where two would have one wire name in one version."""
    hints = typing.get_type_hints(shape, include_extras=True)
    defaults = dict(zip(reversed(shape.__struct_fields__), reversed(shape.__struct_defaults__), strict=False))
    specs = [_spec(attr, hints[attr], defaults.get(attr, NODEFAULT)) for attr in shape.__struct_fields__]
    for i, one in enumerate(specs):
        for other in specs[:i]:
            if one.name == other.name and one.within.overlaps(other.within):
                raise TypeError(f"{shape.__name__}: {one.attr} and {other.attr} are both {one.name!r} in some version")
    return tuple(specs)


def fields_at(shape: type[Shape], version: Version) -> list[FieldSpec]:
    """Those that are on the wire in one version."""
    return [spec for spec in fields_of(shape) if version in spec.within]


def shapes_in(tp: Any) -> Iterator[type[Shape]]:
    """Every shape named directly in a type expression."""
    if isinstance(tp, type) and issubclass(tp, Shape):
        yield tp
    for part in get_args(tp):
        yield from shapes_in(part)


@functools.cache
def edges_of(tp: Any) -> tuple[Version, ...]:
    """The versions, ascending, at which a type's wire form may change, those of nested shapes included."""
    found: set[Version] = set()
    seen: set[type[Shape]] = set()
    todo = list(shapes_in(tp))
    while todo:
        shape = todo.pop()
        if shape in seen:
            continue
        seen.add(shape)
        if isinstance(shape.__strict__, VersionRange):
            found.update(shape.__strict__.edges())
        for spec in fields_of(shape):
            ranges = (spec.within, *spec.required)
            found.update(edge for r in ranges for edge in r.edges())
            found.update(change.first for change in spec.becomes)
            for part in (spec.type, *(change.type for change in spec.becomes)):
                todo.extend(shapes_in(part))
    return tuple(sorted(found))


def stretch_of(tp: Any, version: Version) -> Version:
    """The oldest version in which `tp` looks as it does in `version`: the key under which a codec is kept."""
    return max((edge for edge in edges_of(tp) if edge <= version), default=UNVERSIONED)


def is_strict(shape: type[Shape], version: Version) -> bool:
    """Whether unknown keys are refused in this version."""
    strict = shape.__strict__
    return strict if isinstance(strict, bool) else version in strict


__all__ = [
    "UNSET",
    "Becomes",
    "FieldSpec",
    "Maybe",
    "Params",
    "Query",
    "Reads",
    "Shape",
    "Size",
    "View",
    "becomes",
    "edges_of",
    "fields_at",
    "fields_of",
    "flatten",
    "is_strict",
    "is_union",
    "reads",
    "required",
    "rest",
    "shapes_in",
    "size",
    "stretch_of",
    "wire",
]
