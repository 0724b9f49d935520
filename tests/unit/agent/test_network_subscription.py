from __future__ import annotations

import pytest

from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.sim.driver import SimDriver, SimSettings
from kilonova.agent.network_subscription import PATIENCE_S, NetworkSubscription
from kilonova.domain.hostnet import OUTLINE, GroupSpec, HeldNetworks, HostNetwork, ShareChange
from kilonova.domain.report import HostFault
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import Message, NetworksHeld, Ok, ShareChanged
from tests.netparts import DEFAULT, port, share, tunnelled
from tests.unit.agent.test_service import FACTS
from tests.world.clock import ManualClock


class Host:
    """A host that follows, and the control plane that hears what it says."""

    def __init__(self) -> None:
        self.bus = InProcessBus()
        self.said: list[HeldNetworks] = []
        self.heard: list[str] = []
        self.clock = ManualClock()
        self.driver = SimDriver(SimSettings(facts=FACTS, keeps_addresses=True), self.clock)
        self.subscription = NetworkSubscription("h", self.driver.driver().network, self.bus, self.clock)
        self.bus.serve("conductor", self._hear, workers=0)
        self.bus.serve("agent.h", self._take, workers=0)

    def tell(self, change: ShareChange) -> None:
        self.bus.fanout(f"share.{change.id}", ShareChanged(change=change))

    def held(self) -> list[HeldNetworks]:
        """What it has said since the last time."""
        said, self.said[:] = list(self.said), []
        return said

    def _hear(self, message: Message) -> Message:
        assert isinstance(message, NetworksHeld)
        assert message.host == "h"
        self.said.append(message.held)
        return Ok()

    def _take(self, message: Message) -> Message:
        assert isinstance(message, ShareChanged)
        self.heard.append(message.change.id)
        self.subscription.change(message.change, message.epoch)
        return Ok()


@pytest.fixture
def host() -> Host:
    return Host()


def test_a_host_follows_what_it_has_and_says_so_when_it_is_new(host: Host) -> None:
    host.subscription.replace(share(port(5, "default")), "")
    assert host.held() == [of({"n1": 0, "default": 0}, "default", "n1")]
    host.subscription.refresh()
    assert host.held() == []
    host.tell(ShareChange(id="default", generation=1, come={"n1": ("10.77.1.9",)}))
    assert host.held() == []
    assert host.driver.driver().network.held().generations == {"n1": 0, "default": 1}
    host.tell(ShareChange(id="elsewhere", generation=1))
    assert host.heard == ["default"]


def test_a_gap_has_it_say_what_it_has_and_the_answer_closes_it(host: Host) -> None:
    host.subscription.replace(share(port(5, "default")), "")
    host.held()
    host.tell(ShareChange(id="default", generation=2, come={"n1": ("10.77.1.9",)}))
    assert host.held() == []
    host.clock.advance(PATIENCE_S + 1)
    assert host.held() == [of({"n1": 0, "default": 0}, "default")]
    host.tell(ShareChange(id="default", generation=4))
    whole = HostNetwork(groups=(_of_generation(3),))
    host.subscription.update(whole, "")
    assert (
        host.driver.driver().network.held().generations["default"] == 4
    )  # what had come too early for it follows at once
    host.clock.advance(PATIENCE_S + 1)
    assert host.held() == []


def test_changes_that_overtake_each_other_are_taken_in_their_order_and_nobody_is_asked(host: Host) -> None:
    host.subscription.replace(share(port(5, "default")), "")
    host.held()
    for generation in (3, 2, 2, 5, 1, 4):
        address = f"10.77.1.{100 + generation}"
        host.tell(ShareChange(id="default", generation=generation, come={"n1": (address,)}))
    assert host.driver.driver().network.held().generations["default"] == 5
    (group,) = (one for one in host.driver._network.share.groups if one.id == "default")
    assert group.members_on == {"n1": tuple(f"10.77.1.{100 + number}" for number in range(1, 6))}
    host.clock.advance(PATIENCE_S + 1)
    assert host.held() == []


def test_what_a_rule_brings_in_is_followed_and_asked_for(host: Host) -> None:
    host.subscription.replace(share(port(5, "closed")), "")
    host.held()
    host.tell(ShareChange(id="closed", generation=1, rules=DEFAULT.rules))
    assert host.held() == [of({"n1": 0, "closed": 1, "default": OUTLINE}, "default")]
    host.subscription.update(HostNetwork(groups=(_of_generation(7),)), "")
    host.tell(ShareChange(id="default", generation=8))
    assert host.driver.driver().network.held().generations["default"] == 8


def test_what_went_is_followed_no_longer(host: Host) -> None:
    host.subscription.replace(share(port(5, "default"), networks=(tunnelled(1, "192.0.2.1"),)), "")
    host.subscription.replace(HostNetwork(), "")
    host.held()
    host.tell(ShareChange(id="default", generation=1))
    host.subscription.say()
    assert (host.heard, host.held()) == ([], [])


def test_what_the_host_refuses_it_does_not_ask_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.subscription.replace(share(port(5, "default")), "")
    host.held()

    def refuse(change: ShareChange) -> bool:
        raise HostFailure(HostFault(message="It clashes.", elsewhere=True))

    monkeypatch.setattr(host.driver.driver().network, "change", refuse)
    host.tell(ShareChange(id="default", generation=1))
    assert host.held() == []


def _of_generation(number: int) -> GroupSpec:
    return GroupSpec(id="default", rules=DEFAULT.rules, generation=number)


def of(generations: dict[str, int], *urgent: str) -> HeldNetworks:
    return HeldNetworks(generations=generations, urgent=urgent)
