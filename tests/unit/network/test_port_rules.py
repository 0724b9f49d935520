"""What makes a port sound."""

from __future__ import annotations

import pytest

from kilonova.domain.errors import Denied
from kilonova.network import port_rules
from kilonova.network.errors import InvalidInput


def test_pairs_take_the_ports_own_mac_where_none_was_said() -> None:
    read = port_rules.read_pairs(
        [("10.0.0.9", None), ("10.1.2.3/8", "aa:bb:cc:00:00:01"), ("fd00::0:1/128", None)], "me"
    )
    assert read == (("10.0.0.9", "me"), ("10.0.0.0/8", "aa:bb:cc:00:00:01"), ("fd00::1", "me"))


def test_a_pair_twice_is_refused_however_it_is_written() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        port_rules.read_pairs([("10.0.0.9", None), ("10.0.0.9/32", "me")], "me")


def test_options_are_merged_by_name_and_version_and_null_takes_away() -> None:
    have = (("mtu", "1400", 4), ("router", "10.0.0.1", 4))
    changes = [("mtu", None, 4), ("mtu", "1280", 6), ("router", "10.0.0.2", 4), ("gone", None, 4)]
    assert port_rules.merge_options(have, changes) == (("router", "10.0.0.2", 4), ("mtu", "1280", 6))


def test_nobody_claims_a_server_by_hand() -> None:
    with pytest.raises(Denied) as refusal:
        port_rules.check_owner("compute:nova")
    assert "server add port" in refusal.value.next_step
    port_rules.check_owner("mine")
