"""Policies by name and spelt out."""

from __future__ import annotations

import pytest

from kilonova.domain.errors import Rejected
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.simulation.policies import BUILT_IN, COMPARED, parse_policy


def test_ours_is_what_a_cloud_has_when_nothing_is_said() -> None:
    assert BUILT_IN["ours"].settings == SchedulerSettings()
    assert set(COMPARED) <= set(BUILT_IN)


def test_a_policy_can_be_spelt_out() -> None:
    policy = parse_policy("mine=RAMWeigher:-1, CPUWeigher:0.5,near_best:0")
    assert (policy.name, policy.weighers) == ("mine", {"RAMWeigher": -1.0, "CPUWeigher": 0.5})
    assert policy.settings.near_best == 0.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worst-fit", "There is no policy 'worst-fit'"),
        ("mine=RAMWeigher", "is not of the form"),
        ("mine=RAMWeigher:much", "is not of the form"),
        ("mine=NoWeigher:1", "There is no NoWeigher"),
    ],
)
def test_what_is_no_policy_is_refused_with_a_way_out(text: str, said: str) -> None:
    with pytest.raises(Rejected, match=said) as refused:
        parse_policy(text)
    assert refused.value.next_step
