"""What makes a subnet sound."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.domain.errors import Conflict
from kilonova.network import numbers, subnet_rules
from kilonova.network.errors import InvalidInput

RANGES = st.tuples(st.ip_addresses(v=4), st.integers(8, 30)).map(
    lambda pair: ip_network(f"{pair[0]}/{pair[1]}", strict=False)
)


@given(RANGES, st.data())
def test_default_pools_are_every_usable_address_but_the_gateway(
    range_: subnet_rules.Range, data: st.DataObject
) -> None:
    first, last = subnet_rules.usable(range_)
    gateway = numbers.text(data.draw(st.integers(first, last)), 4)
    pools = subnet_rules.default_pools(range_, gateway)
    assert numbers.size(pools) == range_.num_addresses - 3
    assert not any(low <= int(ip_address(gateway)) <= high for low, high in numbers.spans(pools))
    assert subnet_rules.check_pools(range_, pools, gateway) == pools


@pytest.mark.parametrize(
    ("cidr", "gateway", "pools"),
    [
        ("10.0.0.0/24", "10.0.0.1", (("10.0.0.2", "10.0.0.254"),)),
        ("10.0.0.0/24", "10.0.0.254", (("10.0.0.1", "10.0.0.253"),)),
        ("10.0.0.0/24", "10.0.0.9", (("10.0.0.1", "10.0.0.8"), ("10.0.0.10", "10.0.0.254"))),
        ("10.0.0.0/24", None, (("10.0.0.1", "10.0.0.254"),)),
        ("10.0.0.0/30", "10.0.0.1", (("10.0.0.2", "10.0.0.2"),)),
        ("10.0.0.4/31", "10.0.0.4", (("10.0.0.5", "10.0.0.5"),)),
        ("10.0.0.4/32", None, (("10.0.0.4", "10.0.0.4"),)),
        ("fd00::/64", "fd00::1", (("fd00::2", "fd00::ffff:ffff:ffff:ffff"),)),
    ],
)
def test_the_usual_subnets(cidr: str, gateway: str | None, pools: tuple[tuple[str, str], ...]) -> None:
    assert subnet_rules.default_pools(ip_network(cidr), gateway) == pools


@pytest.mark.parametrize(
    "cidr",
    [
        *(
            "0.0.0.0/0",
            "128.0.0.0/1",
            "8.0.0.0/7",
            "0.0.0.0/8",
            "127.0.0.0/8",
            "127.9.0.0/24",
            "224.0.0.0/8",
            "239.1.0.0/16",
        ),
        *("169.254.0.0/16", "169.254.169.254/32", "169.0.0.0/8", "198.18.0.0/24", "240.0.0.0/8", "255.255.255.255/32"),
        *("::/0", "2000::/3", "8000::/1", "::1/128", "::ffff:10.0.0.0/120", "fe80::/64", "fec0::/64", "ff02::/64"),
    ],
)
def test_ranges_that_are_nobodys_to_give_are_refused(cidr: str) -> None:
    with pytest.raises(InvalidInput):
        subnet_rules.check_allowed(ip_network(cidr), ())


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/24", "100.64.0.0/10", "fd00::/16", "2001:db8::/64"]
)
def test_ranges_that_networks_have_are_taken_but_for_the_operators_own(cidr: str) -> None:
    mine = ip_network(cidr)
    subnet_rules.check_allowed(mine, [ip_network("203.0.113.0/24"), ip_network("2001:db8:1::/64")])
    with pytest.raises(InvalidInput, match="the operator of this cloud keeps"):
        subnet_rules.check_allowed(mine, [ip_network(f"{mine[5]}")])


def test_a_pool_with_the_gateway_is_a_conflict() -> None:
    with pytest.raises(Conflict, match=r"10\.0\.0\.2-10\.0\.0\.9"):
        subnet_rules.check_gateway_outside([("10.0.0.2", "10.0.0.9")], "10.0.0.5")


def test_pools_are_put_in_order_and_in_canonical_form() -> None:
    pools = [("fd00::00ff", "fd00::0100"), ("fd00::2", "fd00::3")]
    checked = subnet_rules.check_pools(ip_network("fd00::/64"), pools, None)
    assert checked == (("fd00::2", "fd00::3"), ("fd00::ff", "fd00::100"))
