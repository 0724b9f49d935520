"""
A few hundred worlds, each a history of its own; that a seed is the same history wherever it is lived; and that the properties can
break, by bugs planted in the sagas.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.dst.world import Verdict, World, simulating

REPOSITORY = Path(__file__).parents[3]
WORLDS = 200
SHARES = 8


@pytest.fixture(autouse=True)
def _simulating() -> Iterator[None]:
    with simulating():
        yield


@pytest.mark.parametrize("share", range(SHARES))
def test_whatever_strikes_every_property_holds(share: int) -> None:
    verdicts = [World(seed).run() for seed in range(share, WORLDS, SHARES)]
    assert {verdict.seed: verdict.failure for verdict in verdicts if verdict.failure} == {}
    assert sum(verdict.servers for verdict in verdicts) > 50
    assert len({kind for verdict in verdicts for kind in verdict.faults}) > 10


def test_the_same_seed_is_the_same_history() -> None:
    assert [World(seed).run() for seed in (3, 7)] == [World(seed).run() for seed in (3, 7)]
    assert World(3).run().digest != World(7).run().digest


def test_a_seed_is_the_same_history_in_another_process() -> None:
    assert [_elsewhere(17, hash_seed) for hash_seed in "12"] == [World(17).run()] * 2


def _elsewhere(seed: int, hash_seed: str) -> Verdict:
    replay = subprocess.run(
        [sys.executable, "-m", "tests.dst", "--seed", str(seed)],
        cwd=REPOSITORY, env={**os.environ, "PYTHONHASHSEED": hash_seed}, stdout=subprocess.PIPE, timeout=120, check=True,
    )  # fmt: skip
    return msgspec.json.decode(replay.stdout, type=Verdict)
