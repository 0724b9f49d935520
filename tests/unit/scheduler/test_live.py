"""The newest picture, and those who look at an older one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.domain.host import HostUse
from kilonova.scheduler.fleet import RAM, Beat
from kilonova.scheduler.live import LiveFleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.queries.fleet import Pulse
from tests.unit.scheduler.building import NOW, fleet, host

PROFILE = profile_of(SchedulerSettings())


def use(generation: int, ram_mib: int = 0, host_id: str = "id-1") -> HostUse:
    return HostUse(
        host_id=host_id, generation=generation, vcpus_used=0, ram_mib_used=ram_mib, disk_gib_used=0, servers=0
    )


def beat(generation: int, ram_mib: int, **given_: object) -> Beat:
    about = {"updated_at": (0,), "disabled": (False,)} | given_
    read = Pulse(
        ids=("id-1",), vcpus_used=(0,), ram_mib_used=(ram_mib,), disk_gib_used=(0,), servers=(0,),
        generations=(generation,), forced_down=(False,), seen_at=(int(NOW.timestamp() * 1e6),), **about,  # type: ignore[arg-type]
    )  # fmt: skip
    return Beat.of(read, NOW)


def ram_used(live: LiveFleet) -> int:
    return int(live.fleet.use[RAM, 0])


@given(st.permutations([use(generation, generation * 100) for generation in range(2, 7)]))
def test_whatever_the_order_the_newest_use_stays(messages: list[HostUse]) -> None:
    live = LiveFleet(fleet(host(1)), PROFILE)
    for message in (*messages, messages[0], use(9, 5, "unknown")):
        live.apply(message)
    assert ram_used(live) == 600


def test_a_beat_brings_newer_uses_and_keeps_those_it_does_not_know() -> None:
    live = LiveFleet(fleet(host(1)), PROFILE)
    live.apply(use(5, 500))
    assert live.beat(beat(4, 400))
    assert ram_used(live) == 500
    assert live.beat(beat(6, 600))
    assert ram_used(live) == 600


@pytest.mark.parametrize("other", [{"ids": ("id-2",)}, {"revision": (1,)}])
def test_a_beat_of_other_hosts_or_changed_ones_is_refused(other: dict[str, object]) -> None:
    live = LiveFleet(fleet(host(1)), PROFILE)
    read = beat(2, 100)
    fields = {name: getattr(read, name) for name in Beat.__dataclass_fields__} | other
    assert not live.beat(Beat(**fields))
    assert ram_used(live) == 0


def test_a_use_heard_of_while_the_records_were_read_is_kept() -> None:
    live = LiveFleet(fleet(host(1), host(2)), PROFILE)
    read = fleet(host(2), msgspec.structs.replace(host(1), ram_mib_used=100, generation=2), host(3))
    live.apply(use(3, 300))
    live.apply(use(4, 400, "id-2"))
    live.apply(use(9, 900, "id-3"))
    live.replace(read)
    assert live.fleet.use[RAM].tolist() == [400, 300, 0]
