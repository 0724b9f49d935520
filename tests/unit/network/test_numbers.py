"""Arithmetic on addresses."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from kilonova.network import numbers

POOLS = [("10.0.0.10", "10.0.0.12"), ("10.0.0.2", "10.0.0.3")]


def texts(cursor: str | None) -> list[str]:
    start = None if cursor is None else numbers.spans([(cursor, cursor)])[0][0]
    return [numbers.text(number, 4) for number in numbers.after(POOLS, start)]


def test_without_a_cursor_the_search_begins_at_the_first() -> None:
    assert texts(None) == ["10.0.0.2", "10.0.0.3", "10.0.0.10", "10.0.0.11", "10.0.0.12"]


def test_the_search_goes_on_after_the_cursor_and_wraps_round() -> None:
    assert texts("10.0.0.3") == ["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.2", "10.0.0.3"]
    assert texts("10.0.0.5") == ["10.0.0.10", "10.0.0.11", "10.0.0.12", "10.0.0.2", "10.0.0.3"]
    assert texts("10.0.0.12") == ["10.0.0.2", "10.0.0.3", "10.0.0.10", "10.0.0.11", "10.0.0.12"]


@given(st.integers(0, 2**32 - 1))
def test_wherever_it_begins_every_address_comes_once(cursor: int) -> None:
    found = list(numbers.after(POOLS, cursor))
    assert sorted(found) == sorted(set(numbers.after(POOLS, None)))
    assert len(found) == numbers.size(POOLS) == 5


def test_a_vast_pool_is_searched_lazily() -> None:
    pools = [("fd00::", "fd00::ffff:ffff:ffff:ffff")]
    assert [numbers.text(n, 6) for n in islice(numbers.after(pools, None), 2)] == ["fd00::", "fd00::1"]


def test_macs_have_openstacks_prefix() -> None:
    assert numbers.mac_of("01234567-89ab-4def-8123-456789abcdef") == "fa:16:3e:ab:cd:ef"
