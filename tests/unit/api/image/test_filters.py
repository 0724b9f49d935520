"""What a list's query asks of the store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from kilonova.api.framework.compile_in import Decoder
from kilonova.api.framework.versions import UNVERSIONED
from kilonova.api.image.filters import ListImages, image_filter, keyset, read_values
from kilonova.domain.errors import Rejected
from kilonova.store.queries.image_filters import ImageFilter

MAY = datetime(2026, 5, 1, tzinfo=UTC)


def query(**pairs: str | list[str]) -> Any:
    lists = {name: [value] if isinstance(value, str) else value for name, value in pairs.items()}
    return Decoder(ListImages).from_query(lists, UNVERSIONED)


def asked(**pairs: str | list[str]) -> ImageFilter:
    return image_filter(query(**pairs))


def test_a_plain_list_hides_what_is_hidden() -> None:
    assert asked() == ImageFilter(one_of={"hidden": (False,)})


def test_filters_become_columns() -> None:
    found = asked(
        name="a",
        status="in:active,queued",
        os_hidden="true",
        protected="false",
        min_ram="5",
        os_hash_value="ff",
        owner="p",
    )
    assert found.one_of == {
        "name": ("a",), "status": ("active", "queued"), "hidden": (True,), "protected": (False,), "min_ram": (5,),
        "sha512": ("ff",), "owner": ("p",),
    }  # fmt: skip


def test_the_rest_is_properties_and_tags_repeat() -> None:
    found = asked(
        tag=["a", "b"], hw_disk_bus="virtio", visibility="all", member_status="pending", size_min="1", size_max="2"
    )
    assert (found.tags, found.properties) == (("a", "b"), {"hw_disk_bus": "virtio"})
    assert (found.visibility, found.member_status, found.size_min, found.size_max) == ("all", "pending", 1, 2)


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("2026-05-01T00:00:00Z", "eq"),
        ("gte:2026-05-01T00:00:00Z", "gte"),
        ("neq:2026-05-01", "neq"),
        ("lt:2026-05-01T00:00", "lt"),
    ],
)
def test_times_are_compared(text: str, way: str) -> None:
    assert asked(updated_at=text).times == (("updated_at", way, MAY),)


@pytest.mark.parametrize(
    ("text", "values"),
    [("a", ("a",)), ("in:a", ("a",)), ('in:a,"b,c"', ("a", "b,c")), ("in:", ()), ("inn:a", ("inn:a",))],
)
def test_a_value_may_be_a_list(text: str, values: tuple[str, ...]) -> None:
    assert read_values(text) == values


@pytest.mark.parametrize(
    ("pairs", "sort"),
    [
        ({}, (("created_at", "desc"), ("id", "desc"))),
        ({"sort": "name:asc,size"}, (("name", "asc"), ("size", "desc"))),
        ({"sort_key": ["name", "size"], "sort_dir": "asc"}, (("name", "asc"), ("size", "asc"))),
    ],
)
def test_sorting_is_spelt_in_two_ways(pairs: dict[str, Any], sort: tuple[tuple[str, str], ...]) -> None:
    assert keyset(query(**pairs)).sort == sort


@pytest.mark.parametrize(
    "pairs",
    [
        {"created_at": "gte:yesterday"},
        {"created_at": "after:2026-05-01"},
        {"size_min": "many"},
        {"visibility": "secret"},
        {"member_status": "undecided"},
        {"name": 'in:"a'},
        {"sort": "name", "sort_key": "size"},
        {"sort": "name,"},
        {"sort": "name:up"},
        {"sort": "colour"},
        {"sort_key": "tags"},
        {"os_hidden": "perhaps"},
        {"limit": "-1"},
    ],
)
def test_what_makes_no_sense_is_refused(pairs: dict[str, Any]) -> None:
    def read() -> None:
        sent = query(**pairs)
        image_filter(sent)
        keyset(sent)

    with pytest.raises(Rejected):
        read()
