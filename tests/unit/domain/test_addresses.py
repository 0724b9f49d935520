"""Addresses without zones: what follows a `%` would reach dnsmasq and nft as it is."""

from __future__ import annotations

import pytest

from kilonova.domain.addresses import ip_address, ip_client, ip_network

ZONES = ["fe80::1%eth0", "fe80::1%\ndhcp-script=/bin/sh", "fe80::1%} accept", "::%"]


@pytest.mark.parametrize("text", ZONES)
def test_an_address_has_no_zone(text: str) -> None:
    with pytest.raises(ValueError, match="zone"):
        ip_address(text)


@pytest.mark.parametrize("text", [f"{zoned}/64" for zoned in ZONES])
def test_a_range_has_no_zone(text: str) -> None:
    with pytest.raises(ValueError, match="zone"):
        ip_network(text, strict=False)


def test_all_else_is_as_python_has_it() -> None:
    assert str(ip_address("fe80::1")) == "fe80::1"
    assert str(ip_network("10.0.0.7/24", strict=False)) == "10.0.0.0/24"
    with pytest.raises(ValueError, match="host bits"):
        ip_network("10.0.0.7/24")


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "unknown"),
        ("", "unknown"),
        ("anything", "unknown"),
    ],
)
def test_who_counts_as_one_client(text: str, client: str) -> None:
    assert ip_client(text) == client
