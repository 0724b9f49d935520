from __future__ import annotations

import itertools

import pytest

from kilonova.domain.server import Intent, Lifecycle, PowerState
from kilonova.domain.status import STATUSES, task_of, vm_state_of

EVERY = list(itertools.product(Lifecycle, Intent, PowerState))


@pytest.mark.parametrize(("lifecycle", "intent", "power"), EVERY)
def test_every_combination_of_facts_has_a_status(lifecycle: Lifecycle, intent: Intent, power: PowerState) -> None:
    assert (vm_state_of(lifecycle, intent, power), None) in STATUSES


@pytest.mark.parametrize(
    ("intent", "power", "expected"),
    [
        (Intent.ACTIVE, PowerState.RUNNING, "active"),
        (Intent.ACTIVE, PowerState.SHUTDOWN, "stopped"),
        (Intent.ACTIVE, PowerState.CRASHED, "stopped"),
        (Intent.ACTIVE, PowerState.NOSTATE, "active"),
        (Intent.STOPPED, PowerState.SHUTDOWN, "stopped"),
        (Intent.PAUSED, PowerState.PAUSED, "paused"),
        (Intent.SUSPENDED, PowerState.SUSPENDED, "suspended"),
        (Intent.DELETED, PowerState.RUNNING, "active"),
        (Intent.DELETED, PowerState.SHUTDOWN, "stopped"),
    ],
)
def test_a_launched_server_is_what_was_asked_unless_its_host_says_it_is_down(
    intent: Intent, power: PowerState, expected: str
) -> None:
    assert vm_state_of(Lifecycle.BUILT, intent, power) == expected


@pytest.mark.parametrize(
    ("saga", "step", "expected"),
    [
        (None, None, None),
        ("boot", None, "scheduling"),
        ("boot", "place", "scheduling"),
        ("boot", "network", "networking"),
        ("boot", "block_devices", "block_device_mapping"),
        ("boot", "spawn", "spawning"),
        ("delete", "remove", "deleting"),
        ("delete", "forget", "deleting"),
    ],
)
def test_the_task_is_the_step_of_the_saga_at_work(saga: str | None, step: str | None, expected: str | None) -> None:
    assert task_of(saga, step) == expected
