from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kilonova.agent.network.flows import Connection, lets_through, revoked
from kilonova.domain.addresses import ip_address
from kilonova.domain.hostnet import GroupSpec, HostNetwork
from tests.netparts import CLOSED, DEFAULT, OUT, SSH, port, share

BEFORE = share(port(5, "ssh"), port(6, "default", "ssh"))


def changed(**changes: Any) -> HostNetwork:
    return msgspec.structs.replace(BEFORE, **changes)


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        (BEFORE, set()),
        (share(*BEFORE.ports, port(7, "ssh")), set()),
        (changed(ports=BEFORE.ports[:1]), {"10.77.1.6"}),
        (changed(ports=(port(5, "ssh", "default"), BEFORE.ports[1])), set()),
        (changed(ports=(port(5), BEFORE.ports[1])), {"10.77.1.5"}),
        (changed(ports=(port(5, "ssh", server_id="another"), BEFORE.ports[1])), {"10.77.1.5"}),
        (changed(groups=(DEFAULT, GroupSpec(id="ssh", rules=(OUT, SSH, *CLOSED.rules)))), set()),
        (changed(groups=(DEFAULT, GroupSpec(id="ssh", rules=(OUT,)))), {"10.77.1.5", "10.77.1.6"}),
        (changed(groups=BEFORE.groups[1:]), {"10.77.1.6"}),
    ],
)
def test_what_was_taken(after: HostNetwork, lost: set[str]) -> None:
    taken = revoked(BEFORE, after)
    assert {str(address) for address in taken.gone | taken.shrunk} == lost


def test_a_member_that_left_elsewhere_is_let_through_no_more() -> None:
    told = (GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n1": ("10.77.1.200",)}),)
    before, after = share(port(5, "default"), groups=told), share(port(5, "default"))
    assert {str(address) for address in revoked(before, after).shrunk} == {"10.77.1.200"}


def test_a_port_that_is_another_servers_now_inherits_nothing() -> None:
    after = changed(ports=(port(5, "ssh", server_id="another"), *BEFORE.ports[1:]))
    assert revoked(BEFORE, after) == ({ip_address("10.77.1.5")}, set())


def connection(source: str, target: str, dport: int, protocol: int = 6) -> Connection:
    return Connection(ip_address(source), ip_address(target), protocol, dport)


@pytest.mark.parametrize(
    ("flow", "stays"),
    [
        (connection("10.77.1.5", "10.77.1.6", 22), True),
        (connection("10.77.1.5", "10.77.1.6", 23), False),
        (connection("10.77.1.5", "10.77.1.6", 22, protocol=17), False),
        (connection("192.0.2.1", "10.77.1.5", 22), True),
        (connection("10.77.1.6", "192.0.2.1", 443), True),
        (connection("192.0.2.1", "192.0.2.2", 22), False),
        (connection("10.77.1.200", "10.77.1.7", 80), True),
        (connection("10.77.1.201", "10.77.1.7", 80), False),
        (connection("192.0.2.1", "10.77.1.8", 80), True),
    ],
)
def test_a_connection_stays_when_the_rules_would_let_it_begin(flow: Connection, stays: bool) -> None:
    friends = GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n1": ("10.77.1.200",), "n2": ("10.77.1.201",)})
    ports = (port(5, "ssh"), port(6, "ssh"), port(7, "default"), port(8, port_security=False))
    state = share(*ports, groups=(friends, GroupSpec(id="ssh", rules=(OUT, SSH))))
    assert lets_through(state, flow) is stays


def test_of_two_networks_of_one_range_both_must_agree() -> None:
    twins = (port(5, "ssh"), port(5, "closed", net=2, addresses=("10.77.1.5",)))
    flow = connection("192.0.2.1", "10.77.1.5", 22)
    assert lets_through(share(twins[0]), flow)
    assert not lets_through(share(*twins), flow)
