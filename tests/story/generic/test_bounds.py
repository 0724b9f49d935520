"""
Every text, list, object and free value that a body may hold has a bound: over it, 400, whatever the route.

The bodies are made from the declared types, so a field that is added is tried from that day. What is too long here is longer than
any bound that a field may declare; a field without one takes it, and is found.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from msgspec import Meta, UnsetType

from kilonova.api.framework import Version
from kilonova.api.framework.bounds import is_free
from kilonova.api.framework.schema import Reads, Shape, fields_of, flatten, is_union
from kilonova.api.framework.versions import UNVERSIONED
from tests.story.generic.judge import judge
from tests.story.generic.tables import DOORS, SERVICES, Door, each
from tests.story.hostile.things import Things, own
from tests.story.hostile.world import World

TEXT = "1" * 140_000
MANY = 2000
SAYS = ("of length <=", "are the most")


@pytest.fixture(scope="module")
def victim(cloud: World) -> Things:
    return own(cloud, cloud.b)


def wire_of(tp: Any) -> tuple[Any, tuple[Any, ...]]:
    """What is read off the wire for a type, and the marks on it."""
    base, marks = flatten(tp)
    raw = next((mark.wire_type for mark in marks if isinstance(mark, Reads) and mark.wire_type is not None), None)
    return (base, marks) if raw is None else wire_of(raw)


def too_long(tp: Any, version: Version, above: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Values that are right but for one thing which is too long, each such thing in turn."""
    base, _ = wire_of(tp)
    if is_free(base):
        yield {list: [TEXT], dict: {"key": TEXT}}.get(get_origin(base), TEXT)
    elif is_union(base):
        for part in get_args(base):
            yield from too_long(part, version, above)
    elif base is str:
        yield TEXT
    elif get_origin(base) is list:
        yield [least(get_args(base)[0], version)] * MANY
        yield from ([value] for value in too_long(get_args(base)[0], version, above))
    elif get_origin(base) is dict:
        yield from _too_long_in_dict(get_args(base)[1], version, above)
    elif isinstance(base, type) and issubclass(base, Shape) and base not in above:
        yield from _too_long_in_shape(base, version, above)


def _too_long_in_dict(item: Any, version: Version, above: tuple[Any, ...]) -> Iterator[Any]:
    yield {f"K{number}": least(item, version) for number in range(MANY)}
    yield {TEXT: least(item, version)}
    yield from ({"K1": value} for value in too_long(item, version, above))


def _too_long_in_shape(shape: type[Shape], version: Version, above: tuple[Any, ...]) -> Iterator[Any]:
    for spec in fields_of(shape):
        if version in spec.within:
            for value in too_long(spec.type_at(version), version, (*above, shape)):
                yield {**least(shape, version), **(value if spec.is_rest else {spec.name: value})}


def least(tp: Any, version: Version) -> Any:
    """The least that a type's wire form is satisfied with."""
    base, marks = wire_of(tp)
    metas = [mark for mark in marks if isinstance(mark, Meta)]
    if is_union(base):
        return least(next(part for part in get_args(base) if part not in (UnsetType, type(None))), version)
    if isinstance(base, type) and issubclass(base, Shape):
        return {
            spec.name: least(spec.type_at(version), version)
            for spec in fields_of(base)
            if version in spec.within and spec.required_at(version) and not spec.is_rest
        }
    if get_origin(base) is Literal:
        return get_args(base)[0]
    number = max((meta.ge or meta.min_length or (1 if meta.pattern else 0) for meta in metas), default=0)
    if get_origin(base) is list:
        return [least(get_args(base)[0], version)] * number
    if get_origin(base) is dict:
        return {f"K{one}": least(get_args(base)[1], version) for one in range(number)}
    return {str: "1" * number, bool: True, Any: None}.get(base, number)


def versions(door: Door) -> set[str]:
    spoken = SERVICES[door.service].spoken
    return {str(door.route.versions.first or spoken.first or ""), str(door.route.versions.last or spoken.last or "")}


def bodies(door: Door, version: Version) -> Iterator[Any]:
    key = door.route.action or door.route.params_key
    for value in too_long(door.route.params, version):
        yield value if key is None else {key: value}


@each([door for door in DOORS if door.route.params is not None and not door.route.stream])
def test_what_is_too_long_is_refused(cloud: World, victim: Things, door: Door) -> None:
    paths = victim.paths(door.service, door.route.path)
    for text in versions(door):
        headers = {"X-Auth-Token": cloud.admin.token, "Content-Type": door.route.media[0]}
        if text:
            headers["OpenStack-API-Version"] = f"{door.service} {text}"
        for body in bodies(door, Version.parse(text) if text else UNVERSIONED):
            content = json.dumps(body).encode()
            answer = cloud.http.request(door.route.method, door.path(paths), headers=headers, content=content)
            judge(answer, (text, content[:300]))
            assert answer.status_code == 400, (text, content[:300], answer.text)
            assert any(words in answer.text for words in SAYS), (text, content[:300], answer.text)
