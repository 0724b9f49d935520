"""What makes a security-group rule sound, and when two are the same."""

from __future__ import annotations

import msgspec
import pytest

from kilonova.agent.network.firewall import rules as host_rules
from kilonova.domain.hostnet import RuleSpec
from kilonova.network.rule_checks import PROTOCOLS, NewRule, checked, same


def rule(**fields: object) -> NewRule:
    return checked(msgspec.convert({"group_id": "g", "direction": "ingress", **fields}, NewRule))


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "0", "1", "50", "255"])
@pytest.mark.parametrize("ethertype", ["IPv4", "IPv6"])
def test_whatever_is_accepted_a_host_can_say(protocol: str, ethertype: str) -> None:
    """The control plane and the hosts each have a list of protocols; neither may know one that the other does not."""
    if ethertype == "IPv4" and PROTOCOLS.get(protocol) in {41, 43, 44, 58, 59, 60}:
        return
    made = rule(protocol=protocol, ethertype=ethertype)
    spec = RuleSpec(id="r", direction="ingress", ethertype=ethertype, protocol=made.protocol)
    assert host_rules.expression(spec, "knb0")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"protocol": "tcp"}, {"protocol": "6"}, True),
        ({"protocol": "icmpv6", "ethertype": "IPv6"}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}, True),
        ({"protocol": "any"}, {}, True),
        ({"remote_cidr": "0.0.0.0/0"}, {}, True),
        ({"remote_cidr": "10.1.2.3/8"}, {"remote_cidr": "10.0.0.0/8"}, True),
        ({"description": "a"}, {"description": "b"}, True),
        ({"ethertype": "IPv6"}, {}, False),
        ({"direction": "egress"}, {}, False),
        ({"remote_group": "x"}, {}, False),
        ({"protocol": "tcp", "port_min": 1, "port_max": 2}, {"protocol": "tcp", "port_min": 1, "port_max": 3}, False),
    ],
)
def test_sameness(one: dict[str, object], other: dict[str, object], expected: bool) -> None:
    assert same(rule(**one), rule(**other)) is expected
