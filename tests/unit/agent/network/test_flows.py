from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kilonova.agent.network.flows import revoked
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
    assert {str(address) for address in revoked(BEFORE, after)} == lost


def test_a_member_that_left_elsewhere_is_let_through_no_more() -> None:
    told = (GroupSpec(id="default", rules=DEFAULT.rules, members_on={"n1": ("10.77.1.200",)}),)
    before, after = share(port(5, "default"), groups=told), share(port(5, "default"))
    assert {str(address) for address in revoked(before, after)} == {"10.77.1.200"}
