from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.domain.reach import Opening, collapsed, read_opening


@pytest.mark.parametrize(
    ("text", "range_", "port"),
    [
        ("10.0.0.0/24", "10.0.0.0/24", None),
        ("10.0.0.5", "10.0.0.5/32", None),
        ("10.0.0.5:8774", "10.0.0.5/32", 8774),
        ("10.0.0.0/24:8774", "10.0.0.0/24", 8774),
        ("fd00::/64", "fd00::/64", None),
        ("fd00::5", "fd00::5/128", None),
        ("[fd00::/64]", "fd00::/64", None),
        ("[fd00::5]:8774", "fd00::5/128", 8774),
    ],
)
def test_an_opening_is_a_range_and_perhaps_a_port(text: str, range_: str, port: int | None) -> None:
    assert read_opening(text) == Opening(ip_network(range_), port)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "everything",
            "10.0.0.5:",
            "10.0.0.5:0",
            "10.0.0.5:65536",
            "10.0.0.1/24",
            ":80",
            "10.0.0.5:80; flush ruleset",
        ),
        *("[fd00::5", "[fd00::5]80", "[fd00::5]:x", "fe80::1%eth0 }"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_opening(text)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=9), st.lists(st.integers(0, 2**128 - 1), max_size=9))
def test_collapsed_ranges_hold_the_same_addresses(fours: list[int], sixes: list[int]) -> None:
    addresses = {*(ip_address(one) for one in fours if one), *(ip_address(one) for one in sixes if one >= 2**32)}
    ranges = collapsed(ip_network(one) for one in addresses)
    assert sum(one.num_addresses for one in ranges) == len(addresses)
    assert all(any(address in one for one in ranges) for address in addresses)
