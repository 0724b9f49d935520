"""
Encoders: from the superset view to JSON bytes of one microversion.

For each stretch of versions a view becomes a positional wire struct with just that version's fields. A value is moved over by one
`attrgetter` call and one constructor call, both in C, nested views by the same means, and msgspec writes the lot,
leaving out what is UNSET. A view whose wire form is itself (nothing renamed, nothing versioned) is not touched at all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NamedTuple, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.api.framework.schema import FieldSpec, Shape, fields_of, flatten, is_union, stretch_of
from kilonova.api.framework.versions import Version

Project = Callable[[Any], Any]


class OutputType(NamedTuple):
    """The wire type (for documents), the Python types it is made from, and how; None where nothing changes."""

    type: Any
    takes: tuple[type, ...]
    project: Project | None


@functools.cache
def compile_wire(tp: Any, version: Version) -> OutputType:  # noqa: PLR0911 -- one for each kind of type
    """Compile a type expression for the stretch of versions that starts at `version`."""
    base, marks = flatten(tp)
    if marks:
        inner = compile_wire(base, version)
        return inner if inner.project is not None else inner._replace(type=tp)
    if is_union(tp):
        return _union([compile_wire(part, version) for part in get_args(tp) if part is not UnsetType])
    if isinstance(tp, type) and issubclass(tp, Shape):
        if (stretch := stretch_of(tp, version)) != version:
            return compile_wire(tp, stretch)  # a nested shape has longer stretches than what it is nested in
        return _struct(tp, version)
    if get_origin(tp) in (list, tuple) and get_args(tp):
        return _list(compile_wire(get_args(tp)[0], version))
    if get_origin(tp) is dict:
        return _dict(get_args(tp)[0], compile_wire(get_args(tp)[1], version))
    return OutputType(tp, (), None)


def _union(parts: list[OutputType]) -> OutputType:
    tp: Any = Union[tuple(part.type for part in parts)]  # noqa: UP007 -- built from values
    if sum(isinstance(part.type, type) and issubclass(part.type, msgspec.Struct) for part in parts) > 1:
        tp = Any  # sending either of two shapes is well; msgspec can only not describe it
    table = {kind: part.project for part in parts if part.project is not None for kind in part.takes}
    if not table:
        return OutputType(tp, (), None)

    def project(value: Any) -> Any:
        fn = table.get(type(value))
        return value if fn is None else fn(value)

    return OutputType(tp, tuple(table), project)


def _list(item: OutputType) -> OutputType:
    fn = item.project
    tp = list[item.type]  # type: ignore[name-defined]
    return OutputType(tp, (list, tuple), None if fn is None else lambda values: [fn(x) for x in values])


def _dict(key: Any, item: OutputType) -> OutputType:
    fn = item.project
    tp = dict[key, item.type]  # type: ignore[name-defined]
    return OutputType(tp, (dict,), None if fn is None else lambda values: {k: fn(v) for k, v in values.items()})


def _struct(shape: type[Shape], version: Version) -> OutputType:
    declared = fields_of(shape)
    live = [spec for spec in declared if version in spec.within]
    # The wire struct is positional, so what may be absent comes last; order means nothing in JSON.
    named = sorted((spec for spec in live if not spec.is_rest), key=lambda spec: spec.optional)
    wires = [compile_wire(spec.type_at(version), version) for spec in named]
    nested = [(i, w.project) for i, w in enumerate(wires) if w.project is not None]
    made = _wire_struct(shape, named, wires)
    rest = next((spec for spec in live if spec.is_rest), None)
    if rest is not None:
        return OutputType(made, (shape,), _flat(named, wires, rest))
    if not nested and len(live) == len(declared) and all(spec.name == spec.attr for spec in live):
        return OutputType(made, (shape,), None)
    return OutputType(made, (shape,), _mover(made, [spec.attr for spec in named], nested))


def _wire_struct(shape: type[Shape], named: list[FieldSpec], wires: list[OutputType]) -> type[msgspec.Struct]:
    fields = [
        (
            spec.attr,
            Union[w.type, UnsetType] if spec.optional else w.type,  # noqa: UP007 -- built from values
            msgspec.field(name=spec.name, default=UNSET) if spec.optional else msgspec.field(name=spec.name),
        )
        for spec, w in zip(named, wires, strict=True)
    ]
    return msgspec.defstruct(shape.__name__, fields, module=f"{shape.__module__}.shown", kw_only=False, gc=False)


def _mover(made: type[msgspec.Struct], attrs: list[str], nested: list[tuple[int, Project]]) -> Project:
    if not attrs:
        return lambda _: made()
    if len(attrs) == 1:
        only, fn = attrgetter(attrs[0]), (nested[0][1] if nested else None)
        return lambda view: made(_kept(fn, only(view)))
    get = attrgetter(*attrs)
    if not nested:
        return lambda view: made(*get(view))

    def project(view: Any) -> Any:
        values = list(get(view))
        for i, fn in nested:
            if (value := values[i]) is not UNSET:
                values[i] = fn(value)
        return made(*values)

    return project


def _kept(fn: Project | None, value: Any) -> Any:
    return value if fn is None or value is UNSET else fn(value)


def _flat(named: list[FieldSpec], wires: list[OutputType], rest: FieldSpec) -> Project:
    fields = [(spec.attr, spec.name, w.project) for spec, w in zip(named, wires, strict=True)]

    def project(view: Any) -> dict[str, Any]:
        flat = {name: _kept(fn, value) for attr, name, fn in fields if (value := getattr(view, attr)) is not UNSET}
        others = getattr(view, rest.attr)
        return flat if others is UNSET else {**others, **flat}

    return project


class Encoder:
    """Writes one view type in any version; `one` and `many` give what `msgspec.json.encode` takes."""

    def __init__(self, tp: Any) -> None:
        self.type = tp
        self._at: dict[Version, OutputType] = {}

    def wire(self, version: Version) -> OutputType:
        """The compiled form for a version."""
        stretch = stretch_of(self.type, version)
        found = self._at.get(stretch)
        if found is None:
            found = self._at[stretch] = compile_wire(self.type, stretch)
        return found

    def one(self, view: Any, version: Version) -> Any:
        """A single view in its wire form."""
        project = self.wire(version).project
        return view if project is None else project(view)

    def many(self, views: Any, version: Version) -> list[Any]:
        """Views in their wire form."""
        project = self.wire(version).project
        return list(views) if project is None else [project(view) for view in views]
