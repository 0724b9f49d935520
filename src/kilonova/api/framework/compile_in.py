"""
Decoders: from bytes of one microversion to the superset shape.

A type expression is compiled for a version into a `InputType`: the type msgspec decodes (shapes become structs with exactly that
version's fields, names and strictness), and, where something is left to do afterwards, a `lift` that turns the decoded
value into the declared one. msgspec does nearly all the checking, in C; `lift` moves fields into the superset shape and
runs the `reads` functions. Both know the wire path, so that every refusal names the field the client wrote.

A stretch of versions in which nothing about a type changes shares one compiled form (`schema.stretch_of`); forms are made on
first use and kept. One thread at a time does that: msgspec writes what it knows of a struct on the struct, bit by bit, and
a thread that decodes by what another has half written ends the process.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, UnsetType

from kilonova.api.framework.bounds import BODY, FREE_BYTES, ITEMS, QUERY, Where, bounded, check_closed, is_free, measure
from kilonova.api.framework.complaints import field_error, malformed, read_value
from kilonova.api.framework.schema import (
    Query,
    Reads,
    Shape,
    Size,
    fields_at,
    fields_of,
    flatten,
    is_strict,
    is_union,
    stretch_of,
)
from kilonova.api.framework.versions import Version
from kilonova.domain.errors import Rejected

Lift = Callable[[Any, str], Any]

_making = threading.Lock()


class InputType(NamedTuple):
    """What msgspec decodes, which Python types that can give, and what remains to be done with the result."""

    type: Any
    gives: tuple[type, ...]
    lift: Lift | None


@functools.cache
def compile_wire(tp: Any, version: Version, where: Where) -> InputType:  # noqa: PLR0911 -- one for each kind of type
    """Compile a type expression for the stretch of versions that starts at `version`."""
    base, marks = flatten(tp)
    if marks:
        return _annotated(base, marks, version, where)
    if is_union(tp):
        return _union([compile_wire(part, version, where) for part in get_args(tp) if part is not UnsetType])
    if isinstance(tp, type) and issubclass(tp, Shape):
        if (stretch_of(tp, version), BODY) != (version, where):
            return compile_wire(
                tp, stretch_of(tp, version), BODY
            )  # a nested shape has longer stretches than what it is nested in
        return _open_struct(tp, version) if any(f.is_rest for f in fields_at(tp, version)) else _struct(tp, version)
    if is_free(tp):
        return _free(tp, FREE_BYTES, version)
    if get_origin(tp) is list:
        return _list(compile_wire(get_args(tp)[0], version, where))
    if get_origin(tp) is dict:
        return _dict(*(compile_wire(part, version, where) for part in get_args(tp)))
    if tp in (int, str):
        return InputType(Annotated[(tp, *bounded(tp, (), where))], (tp,), None)
    check_closed(tp)
    return InputType(tp, _gives(tp), None)


def _gives(tp: Any) -> tuple[type, ...]:
    if tp is None:
        return (type(None),)
    if get_origin(tp) is Literal:
        return tuple({type(value) for value in get_args(tp)})
    origin = get_origin(tp) or tp
    return (origin,) if isinstance(origin, type) else (object,)


def _annotated(base: Any, marks: tuple[Any, ...], version: Version, where: Where) -> InputType:
    limits = tuple(m for m in marks if isinstance(m, Meta))
    readers = [m for m in marks if isinstance(m, Reads)]
    raw = next((m.wire_type for m in readers if m.wire_type is not None), None)
    free = next((m.limit for m in marks if isinstance(m, Size)), None)
    if free is None:
        inner = compile_wire(base if raw is None else raw, version, where)
    else:
        inner = _free(base if raw is None else raw, free, version)
    if raw is None and limits:
        inner = inner._replace(type=Annotated[(flatten(inner.type)[0], *bounded(base, limits, where))])
    if not readers:
        return inner
    fns = [m.fn for m in readers]
    after = Annotated[(base, *limits)] if raw is not None and limits else None

    def lift(value: Any, path: str) -> Any:
        if inner.lift is not None:
            value = inner.lift(value, path)
        for fn in fns:
            value = read_value(fn, value, path)
        return value if after is None else _convert(value, after, path)

    return inner._replace(lift=lift)


def _convert(value: Any, tp: Any, path: str, *, strict: bool = True) -> Any:
    try:
        return msgspec.convert(value, tp, strict=strict)
    except msgspec.ValidationError as problem:
        raise field_error(problem, path) from problem


def _union(parts: list[InputType]) -> InputType:
    if len(parts) == 1:
        return parts[0]
    by_type = {kind: part.lift for part in parts if part.lift is not None for kind in part.gives}
    tp: Any = Union[tuple(part.type for part in parts)]  # noqa: UP007 -- built from values
    gives = tuple(kind for part in parts for kind in part.gives)

    def lift(value: Any, path: str) -> Any:
        fn = by_type.get(type(value), by_type.get(object))
        return value if fn is None else fn(value, path)

    return InputType(tp, gives, lift if by_type else None)


def _list(item: InputType) -> InputType:
    fn, tp = item.lift, Annotated[list[item.type], ITEMS]  # type: ignore[name-defined]
    if fn is None:
        return InputType(tp, (list,), None)
    return InputType(tp, (list,), lambda value, path: [fn(x, f"{path}[{i}]") for i, x in enumerate(value)])


def _dict(key: InputType, item: InputType) -> InputType:
    tp = Annotated[dict[key.type, item.type], ITEMS]  # type: ignore[name-defined]
    if key.lift is None and item.lift is None:
        return InputType(tp, (dict,), None)

    def lift(value: dict[Any, Any], path: str) -> dict[Any, Any]:
        return {
            (key.lift(k, path) if key.lift else k): (item.lift(v, f"{path}.{k}") if item.lift else v)
            for k, v in value.items()
        }

    return InputType(tp, (dict,), lift)


def _free(tp: Any, limit: int, version: Version) -> InputType:
    """JSON of no type: as a whole it takes no more than `limit` bytes."""
    check, item = measure(limit), InputType(Any, (object,), None)
    if get_origin(tp) is dict:
        inner = _dict(compile_wire(get_args(tp)[0], version, BODY), item)
    else:
        inner = _list(item) if get_origin(tp) is list else item

    def lift(value: Any, path: str) -> Any:
        read_value(check, value, path)
        return value if inner.lift is None else inner.lift(value, path)

    return inner._replace(lift=lift)


def _where(shape: type[Shape]) -> Where:
    return QUERY if issubclass(shape, Query) else BODY


def _struct(shape: type[Shape], version: Version) -> InputType:
    live = [spec for spec in fields_at(shape, version) if not spec.is_rest]
    wires = [compile_wire(spec.type_at(version), version, _where(shape)) for spec in live]
    fields = [
        (
            spec.attr,
            w.type if spec.required_at(version) else Union[w.type, UnsetType],  # noqa: UP007 -- built from values
            msgspec.field(name=spec.name)
            if spec.required_at(version)
            else msgspec.field(name=spec.name, default=UNSET),
        )
        for spec, w in zip(live, wires, strict=True)
    ]
    made = msgspec.defstruct(
        shape.__name__,
        fields,
        kw_only=True,
        forbid_unknown_fields=is_strict(shape, version),
        module=f"{shape.__module__}.sent",
    )
    steps = [(spec.attr, f"{spec.name}", w.lift) for spec, w in zip(live, wires, strict=True)]
    absent = {
        spec.attr: UNSET for spec in fields_of(shape) if not spec.optional and spec not in live and not spec.is_rest
    }

    def lift(value: Any, path: str) -> Any:
        known: dict[str, Any] = dict(absent)
        for attr, name, fn in steps:
            got = getattr(value, attr)
            if got is not UNSET:
                known[attr] = got if fn is None else fn(got, f"{path}.{name}")
        return shape(**known)

    return InputType(made, (made,), lift)


def _open_struct(shape: type[Shape], version: Version) -> InputType:
    """A shape with a `rest` field: decoded as a plain object first, then parted into known keys and the others."""
    closed = _struct(shape, version)
    msgspec.json.Decoder(closed.type)  # made ready here, for it is converted to and in no decoder's type
    rest = next(spec for spec in fields_at(shape, version) if spec.is_rest)
    names = {spec.name for spec in fields_at(shape, version) if not spec.is_rest}
    others = compile_wire(rest.type_at(version), version, _where(shape))
    strict = not issubclass(shape, Query)  # in a query string all values are text

    def lift(value: dict[str, Any], path: str) -> Any:
        known = _convert({k: v for k, v in value.items() if k in names}, closed.type, path, strict=strict)
        left = _convert({k: v for k, v in value.items() if k not in names}, others.type, path)
        whole = closed.lift(known, path) if closed.lift else known
        setattr(whole, rest.attr, others.lift(left, path) if others.lift else left)
        return whole

    return InputType(Annotated[dict[str, Any], ITEMS], (dict,), lift)


class Decoder:
    """
    Reads one type in any version. `key` is the envelope: `{"server": {...}}`; a sibling key is refused.

    `from_json(body, version)`, `from_query(pairs, version)` raise InvalidField with the wire path, or Rejected.
    """

    def __init__(self, tp: Any, key: str | None = None) -> None:
        self.type, self.key = tp, key
        self._decoders: dict[Version, tuple[msgspec.json.Decoder[Any], InputType]] = {}

    def wire_type(self, version: Version) -> Any:
        """The wire type of one version without its envelope, for documents."""
        with _making:
            return compile_wire(self.type, stretch_of(self.type, version), BODY).type

    def _at(self, version: Version) -> tuple[msgspec.json.Decoder[Any], InputType]:
        stretch = stretch_of(self.type, version)
        found = self._decoders.get(stretch)
        if found is None:
            with _making:
                wire = compile_wire(self.type, stretch, BODY)
                if self.key is not None:
                    wire = _enveloped(self.key, wire)
                found = self._decoders[stretch] = (msgspec.json.Decoder(wire.type), wire)
        return found

    def from_json(self, body: bytes | msgspec.Raw, version: Version, prefix: str = "") -> Any:
        """Decode a JSON document; `prefix` is the wire path it was found at."""
        decoder, wire = self._at(version)
        try:
            value = decoder.decode(body)
        except msgspec.ValidationError as problem:
            raise field_error(problem, prefix) from problem
        except (msgspec.DecodeError, ValueError, RecursionError) as problem:
            raise Rejected(f"Malformed request body: {malformed(problem)}") from problem
        return value if wire.lift is None else wire.lift(value, prefix)

    def from_query(self, pairs: Mapping[str, list[str]], version: Version) -> Any:
        """Decode a query string's keys: a list field takes all values of its key, any other the last."""
        _, wire = self._at(version)
        lists, others = _list_names(self.type, stretch_of(self.type, version))
        plain = {k: (v if lists.get(k, others) else v[-1]) for k, v in pairs.items()}
        value = _convert(plain, wire.type, "", strict=False)
        return value if wire.lift is None else wire.lift(value, "")


def _enveloped(key: str, inner: InputType) -> InputType:
    made = msgspec.defstruct(
        "Body", [("content", inner.type, msgspec.field(name=key))], kw_only=True, forbid_unknown_fields=True
    )
    fn = inner.lift
    return InputType(
        made, (made,), lambda value, path: value.content if fn is None else fn(value.content, f"{path}.{key}")
    )


@functools.cache
def _list_names(shape: type[Shape], version: Version) -> tuple[dict[str, bool], bool]:
    """Which query keys take all their values: by name, and for the keys that go to a `rest` field."""
    live = fields_at(shape, version)
    rest = next((spec.type_at(version) for spec in live if spec.is_rest), None)
    named = {spec.name: _is_list(spec.type_at(version)) for spec in live if not spec.is_rest}
    return named, rest is not None and _is_list(get_args(flatten(rest)[0])[1])


def _is_list(tp: Any) -> bool:
    base = flatten(tp)[0]
    return get_origin(base) is list or (is_union(base) and any(_is_list(part) for part in get_args(base)))
