from types import SimpleNamespace
from typing import Any

import pytest

from kilonova.api.framework import SortedPageQuery, cut, next_links, read_paging
from kilonova.domain.errors import InvalidField

REQ: Any = SimpleNamespace(url="http://h/kites", query_string="limit=2&tag=a&tag=b%26&marker=old")


def test_limits() -> None:
    assert read_paging(SortedPageQuery()).limit == 1000
    assert read_paging(SortedPageQuery(limit=0)).limit == 1000
    assert read_paging(SortedPageQuery(limit=5000)).limit == 1000
    assert read_paging(SortedPageQuery(limit=5), max_limit=3).limit == 3


def test_sorting() -> None:
    assert read_paging(SortedPageQuery()).sort == (("created_at", "desc"), ("id", "desc"))
    two = SortedPageQuery(sort_key=["name", "id"], sort_dir=["asc"])
    assert read_paging(two, sortable=("name", "id")).sort == (("name", "asc"), ("id", "asc"))
    mixed = SortedPageQuery(sort_key=["name", "id"], sort_dir=["asc", "desc"])
    assert read_paging(mixed, sortable=("name", "id")).sort == (("name", "asc"), ("id", "desc"))


@pytest.mark.parametrize(
    "query",
    [
        SortedPageQuery(sort_key=["password"]),
        SortedPageQuery(sort_key=["name"], sort_dir=["up"]),
        SortedPageQuery(sort_key=["name"], sort_dir=["asc", "asc"]),
    ],
)
def test_unknown_keys_and_directions_are_refused(query: Any) -> None:
    with pytest.raises(InvalidField):
        read_paging(query, sortable=("name",))


def test_the_next_link_moves_the_marker_and_keeps_the_rest() -> None:
    assert next_links(REQ, "new&") == [{"rel": "next", "href": "http://h/kites?limit=2&tag=a&tag=b%26&marker=new%26"}]
    assert next_links(REQ, None) == []


def test_one_row_too_many_means_there_is_more() -> None:
    assert cut([1, 2, 3], 2) == ([1, 2], True)
    assert cut([1, 2], 2) == ([1, 2], False)
