"""
Every place in a request where a client writes text: in paths, queries, headers and bodies, from the route tables' own types.

A body's spots are found in the declared types, not in documents, so that none is missed where a type takes what it does not name.
`example` makes the least body that has one spot filled, and everything else as right as it can be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from msgspec import UnsetType

from kilonova.api.framework import Version
from kilonova.api.framework.routes import param_names
from kilonova.api.framework.schema import Reads, Shape, edges_of, fields_of, flatten, is_union
from tests.story.generic.tables import SERVICES, Door

KEY = "{key}"
"""In a place: the name of a member of an object whose names are the client's."""
_TEXT = (str, Any)
_DEEPEST = 8
HEADERS = {"/auth/tokens": ("X-Subject-Token",)}
"""Headers that name things, by the path of their route."""
Place = tuple[str | int, ...]


class Spot(NamedTuple):
    """A place for text: `part` is path, query, header or body; `version` the newest in which there is such a place."""

    part: str
    place: Place
    version: str

    @property
    def name(self) -> str:
        """As in `server.networks[].uuid`, the envelope included."""
        text = ".".join("[]" if isinstance(one, int) else one for one in self.place)
        return f"{self.part}:{text.replace('.[]', '[]')}"


def spots_of(door: Door) -> list[Spot]:
    """All of a door's, each in the newest version that has it."""
    found: dict[tuple[str, Place], Spot] = {}
    for version in _versions(door):
        for part, place in _at(door, version):
            found[part, place] = Spot(part, place, str(version) if SERVICES[door.service].microversions else "")
    return list(found.values())


def _versions(door: Door) -> list[Version]:
    """Oldest first: one of each stretch in which nothing changes, and the newest."""
    spoken = SERVICES[door.service].spoken
    edges = [edge for tp in (door.route.params, door.route.query) if tp is not None for edge in edges_of(tp)]
    ends = [Version(edge.major, edge.minor - 1) for edge in edges if edge.minor]
    last = [one for one in (door.route.versions.last, spoken.last, Version.parse("2.104")) if one is not None]
    tried = {*ends, min(last)} if door.service == "compute" else {spoken.last or Version.parse("1.39")}
    return sorted(one for one in tried if one in door.route.versions)


def _at(door: Door, version: Version) -> Iterator[tuple[str, Place]]:
    for name in param_names(door.route.path):
        yield "path", (name,)
    for name in HEADERS.get(door.route.path, ()) if door.route.auth else ():
        yield "header", (name,)
    if door.route.query is not None:
        for place in _places(door.route.query, version):
            yield "query", place[:1]
        lists = {} if "{" in door.route.path else getattr(sys.modules[door.route.handler.__module__], "ATTRIBUTES", {})
        for name in lists:
            yield "query", (name,)
    if door.route.params is not None:
        for place in _places(door.route.params, version):
            yield "body", (*_envelope(door), *place)


def _envelope(door: Door) -> Place:
    key = door.route.action or door.route.params_key
    return () if key is None else (key,)


def _places(tp: Any, version: Version, depth: int = 0) -> Iterator[Place]:
    base = _sent(tp)
    if depth > _DEEPEST or base is UnsetType:
        return
    if is_union(base):
        for part in get_args(base):
            yield from _places(part, version, depth)
    elif isinstance(base, type) and issubclass(base, Shape):
        for spec in fields_of(base):
            if version in spec.within:
                inside = () if spec.is_rest else (spec.name,)
                yield from ((*inside, *place) for place in _places(spec.type_at(version), version, depth + 1))
    elif get_origin(base) is list:
        yield from ((0, *place) for place in _places(get_args(base)[0], version, depth + 1))
    elif get_origin(base) is dict:
        yield (KEY,)
        yield from (("x", *place) for place in _places(get_args(base)[1], version, depth + 1))
    elif base in _TEXT:
        yield ()


def _sent(tp: Any) -> Any:
    """What a client sends where this type is declared."""
    base, marks = flatten(tp)
    raw = next((mark.wire_type for mark in marks if isinstance(mark, Reads) and mark.wire_type is not None), None)
    return base if raw is None else _sent(raw)


# --- bodies -----------------------------------------------------------------------------------------------------------


class Examples:
    """
    Makes bodies. `right` gives the text that is right in a place; `fixed` are whole parts by their names as spots, put in
    even where nothing need be.
    """

    def __init__(self, door: Door, version: str, right: Callable[[Spot], str], fixed: Mapping[str, Any]) -> None:
        self._door, self._version, self._right, self._fixed = door, Version.parse(version or "1.39"), right, fixed

    def body(self, place: Place | None, value: Any = None) -> Any:
        """The least that a body can be, but with this place in it; None for a door that takes none."""
        if self._door.route.params is None:
            return {self._door.route.action: None} if self._door.route.action else None
        envelope = _envelope(self._door)
        inner = self._make(self._door.route.params, envelope, place, value)
        return {envelope[0]: inner} if envelope else inner

    def _make(self, tp: Any, here: Place, place: Place | None, value: Any) -> Any:
        if place is not None and here == place:
            return value
        leads = place if place is not None and place[: len(here)] == here else None
        fixed = None if leads is not None else self._fixed.get(Spot("body", here, "").name)
        return self._make_of(_sent(tp), here, leads, value) if fixed is None else fixed

    def _make_of(self, base: Any, here: Place, place: Place | None, value: Any) -> Any:
        if is_union(base):
            return self._make_one_of(base, here, place, value)
        if isinstance(base, type) and issubclass(base, Shape):
            return self._make_shape(base, here, place, value)
        if get_origin(base) is dict:
            return self._make_dict(base, here, place, value)
        if get_origin(base) is list:
            return [self._make(get_args(base)[0], (*here, 0), place, value)]
        return self._right(Spot("body", here, "")) if base in _TEXT else _plain(base)

    def _make_one_of(self, base: Any, here: Place, place: Place | None, value: Any) -> Any:
        ways = [part for part in get_args(base) if part not in (UnsetType, type(None))]
        if place is not None:
            rest = place[len(here) :]
            ways = [way for way in ways if rest in set(_places(way, self._version))] or ways
        return self._make(ways[0], here, place, value)

    def _make_shape(self, base: type[Shape], here: Place, place: Place | None, value: Any) -> Any:
        made = {}
        for spec in fields_of(base):
            if self._version not in spec.within:
                continue
            if spec.is_rest:
                if (
                    place is not None
                    and len(place) == len(here) + 1
                    and place[-1] not in {one.name for one in fields_of(base)}
                ):
                    made |= {str(value): "x"} if place[-1] == KEY else {str(place[-1]): value}
                continue
            inside = (*here, spec.name)
            if spec.required_at(self._version) or (place is not None and place[: len(inside)] == inside):
                made[spec.name] = self._make(spec.type_at(self._version), inside, place, value)
            elif (fixed := Spot("body", inside, "").name) in self._fixed:
                made[spec.name] = self._fixed[fixed]
        return made

    def _make_dict(self, base: Any, here: Place, place: Place | None, value: Any) -> Any:
        name = str(value) if place == (*here, KEY) else "x"
        return {name: self._make(get_args(base)[1], (*here, "x"), place, value)}


def _plain(base: Any) -> Any:
    if get_origin(base) is Literal:
        return get_args(base)[0]
    return True if base is bool else 1
