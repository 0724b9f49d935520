"""Nothing that a client sends is without a bound, whatever its type says or leaves out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, Raw

from kilonova.api.framework import Maybe, Params, Query, reads, rest, size
from kilonova.api.framework.bounds import FREE_BYTES
from kilonova.api.framework.compile_in import Decoder
from kilonova.api.framework.versions import UNVERSIONED
from kilonova.domain.errors import InvalidField


class Inner(Params):
    text: Maybe[str] = UNSET


class Open(Params):
    known: Maybe[str] = UNSET
    others: Annotated[dict[str, Any], rest()] = msgspec.field(default_factory=dict)


class Body(Params):
    text: Maybe[str] = UNSET
    least: Maybe[Annotated[str, Meta(min_length=1)]] = UNSET
    either: Maybe[str | int | None] = UNSET
    read: Maybe[Annotated[int, reads(int, int | str)]] = UNSET
    longer: Maybe[Annotated[str, Meta(max_length=1000)]] = UNSET
    items: Maybe[list[str]] = UNSET
    inner: Maybe[list[Inner]] = UNSET
    keyed: Maybe[dict[str, str]] = UNSET
    free: Maybe[Any] = UNSET
    free_or_none: Maybe[Any | None] = UNSET
    free_object: Maybe[dict[str, Any] | None] = UNSET
    free_list: Maybe[list[dict[str, Any]]] = UNSET
    small: Maybe[Annotated[dict[str, Any], size(100), Meta(max_length=3)]] = UNSET
    large: Maybe[Annotated[Any, size(100_000)]] = UNSET
    open: Maybe[Open] = UNSET
    word: Maybe[Literal["a", "b"]] = UNSET


LONG = "x" * 256
FREE = "x" * FREE_BYTES
GOOD = [
    {"text": "x" * 255}, {"longer": "x" * 1000}, {"items": ["x"] * 1024}, {"free": "x" * (FREE_BYTES - 2)},
    {"small": {"a": 1, "b": 2}}, {"large": "x" * 99_000}, {"open": {"known": "x", "a": "x" * 1000}}, {"free": None},
]  # fmt: skip
BAD = [
    {"text": LONG}, {"least": LONG}, {"either": LONG}, {"read": "1" * 256}, {"longer": "x" * 1001}, {"items": ["x"] * 1025},
    {"items": [LONG]}, {"inner": [{"text": LONG}]}, {"inner": [{}] * 1025}, {"keyed": {LONG: "x"}}, {"keyed": {"x": LONG}},
    {"keyed": {str(n): "" for n in range(1025)}}, {"free": FREE}, {"free": [[FREE]]}, {"free_or_none": FREE},
    {"free_object": {"a": FREE}}, {"free_object": {LONG: 1}}, {"free_list": [{"a": "x" * 1000}] * 17},
    {"free_list": [{}] * 1025}, {"small": {"a": "x" * 100}}, {"small": dict.fromkeys("abcd", 1)}, {"large": "x" * 100_000},
    {"open": {"a": FREE}}, {"open": {"known": LONG}}, {"open": {str(n): 1 for n in range(1025)}},
]  # fmt: skip


@pytest.mark.parametrize("body", GOOD, ids=lambda body: next(iter(body)))
def test_what_is_within_is_read(body: dict[str, Any]) -> None:
    assert Decoder(Body).from_json(msgspec.json.encode(body), UNVERSIONED) is not None


@pytest.mark.parametrize("body", BAD, ids=lambda body: next(iter(body)))
def test_what_is_beyond_is_refused_by_name(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidField) as refused:
        Decoder(Body).from_json(msgspec.json.encode(body), UNVERSIONED)
    assert refused.value.field.split(".")[0].split("[")[0] in (next(iter(body)), "body")


class Filters(Query):
    ids: Maybe[str] = UNSET


def test_a_query_is_bounded_too_and_more_widely() -> None:
    decoder = Decoder(Filters)
    assert decoder.from_query({"ids": [LONG]}, UNVERSIONED).ids == LONG
    with pytest.raises(InvalidField):
        decoder.from_query({"ids": [FREE + "x"]}, UNVERSIONED)


@pytest.mark.parametrize("kind", [Raw, bytes, set[str], tuple[str, ...]])
def test_a_type_that_we_cannot_bound_cannot_be_declared(kind: Any) -> None:
    with pytest.raises(TypeError, match="has no bound"):
        Decoder(kind).wire_type(UNVERSIONED)
