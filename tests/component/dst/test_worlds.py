"""
A few hundred worlds, each a history of its own; that a seed is the same history wherever it is lived; and that the properties can
break, by bugs planted in the sagas.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, select

from kilonova.agent.network_subscription import NetworkSubscription
from kilonova.compute.update import UpdateServerRecord
from kilonova.conductor.kernel.definition import Definition, Failure, Run, StepFailed
from kilonova.conductor.sagas.boot import PlaceStep, SpawnStep
from kilonova.conductor.sagas.delete import ForgetStep
from kilonova.domain.allocation import Claim
from kilonova.domain.host import HostUse
from kilonova.store.database import Tx
from kilonova.store.queries import hosts, server_facts
from kilonova.store.tables import hosts as tables
from tests.dst.liveness import unexplained
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


# --- the properties can break: bugs planted through the sagas' own ports ---


class ClaimsBlindly(PlaceStep):
    """Places without claiming: the check and the compare-and-swap on the host's generation are skipped."""

    def do(self, tx: Tx, run: Run, prepared: Any) -> Any:
        """The first candidate, whether it still has room or not."""
        with _patched(hosts, "claim", _claim_without_looking):
            return super().do(tx, run, prepared)


class KeepsTheClaim(PlaceStep):
    """Does not give the claim back."""

    def undo(self, tx: Tx, run: Run) -> None:
        """The server is on no host, and its claim stays."""
        server_facts.unplace(tx, run.subject_id, run.now)


class NeverRemoves(SpawnStep):
    """Leaves what was made on the host, and goes elsewhere."""

    def undo(self, tx: Tx, run: Run) -> None:
        """Nothing."""


class ForgetsQuota(ForgetStep):
    """Deletes without giving the quota back."""

    def do(self, tx: Tx, run: Run, prepared: Any) -> None:
        """All but the quota."""
        server = server_facts.get(tx, run.subject_id)
        none = msgspec.structs.replace(server.flavor, vcpus=0, ram_mib=0)
        server_facts.forget(tx, msgspec.structs.replace(server, flavor=none), run.now)


class NeverPlaces(PlaceStep):
    """Finds no host, whatever there is."""

    def do(self, tx: Tx, run: Run, prepared: Any) -> Any:
        """Say in good words that there is none."""
        raise StepFailed(
            Failure(message="No valid host was found. 1 host asked; ResourceFilter removed 1 of 1: it is full.")
        )


PLANTED = {
    "host counters do not add up": ("place", lambda step: ClaimsBlindly(step._bus)),
    "claim on a host that the server is not on": ("place", lambda step: KeepsTheClaim(step._bus)),
    " and on host-": ("spawn", lambda step: NeverRemoves(step._networks)),
    "quota does not add up": ("forget", lambda _step: ForgetsQuota()),
    "canary: there was room": ("place", lambda step: NeverPlaces(step._bus)),
}


@pytest.mark.parametrize("words", PLANTED)
def test_a_planted_bug_breaks_a_property(words: str) -> None:
    name, plant = PLANTED[words]

    def edit(definition: Definition) -> Definition:
        return replace(definition, steps=[plant(step) if step.name == name else step for step in definition.steps])

    failures = []
    for seed in range(60):
        world = World(seed)
        world.edit = edit
        failures.append(world.run().failure)
        if words in failures[-1]:
            return
    pytest.fail(f"60 worlds, and none said {words!r}; they said {set(failures)}")


def _claim_without_looking(tx: Tx, host_id: str, wanted: Claim, now: datetime, *, zone: str | None = None) -> HostUse:
    row = tx.execute(select(tables.hosts).where(tables.hosts.c.id == host_id)).one()
    tx.execute(insert(tables.allocations).values(**msgspec.structs.asdict(wanted), host_id=host_id, created_at=now))
    used = row.vcpus_used + wanted.vcpus
    return HostUse(
        host_id=host_id, generation=row.generation, vcpus_used=used, ram_mib_used=row.ram_mib_used,
        disk_gib_used=row.disk_gib_used, servers=row.servers,
    )  # fmt: skip


@contextmanager
def _patched(module: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def test_a_host_that_does_not_say_what_it_holds_ends_up_wrong() -> None:
    """What it missed it is never told."""
    with _patched(NetworkSubscription, "say", lambda _following, urgent=(): None):
        failures = (World(seed).run().failure for seed in range(30))
        assert any("is wrong about" in failure for failure in failures)


def test_a_handler_that_raises_what_it_does_not_declare_is_told() -> None:
    """A TypeError in every update: people are told of a 500, and worlds went on."""

    def broken(*_args: object) -> None:
        raise TypeError("unexpected keyword argument")

    failures = []
    with _patched(UpdateServerRecord, "__call__", broken):
        for seed in range(20):
            failures.append(World(seed).run().failure)
            if "raised what it does not declare: unknown update: TypeError" in failures[-1]:
                return
    pytest.fail(f"20 worlds, and none told; they said {set(failures)}")


@pytest.mark.parametrize(
    ("message", "faults", "is_explained"),
    [
        ("No valid host was found. 1 host asked; ResourceFilter removed 1 of 1: needs 2 vCPUs.", {}, True),
        ("No valid host was found. 1 host asked; ComputeFilter removed 1 of 1: 1 down.", {}, False),
        ("No valid host was found. 1 host asked; ComputeFilter removed 1 of 1: 1 down.", {"power cut": 1}, True),
        ("No valid host was found. 1 host asked; RetiredFilter removed 1 of 1: why not.", {"lost": 1}, False),
        ("No valid host was found. 1 host asked.", {}, False),
        ("An internal error stopped the request (req-1).", {"lost": 1}, False),
        ("", {}, False),
    ],
)
def test_a_fault_is_explained_by_what_struck_its_world(
    message: str, faults: dict[str, int], is_explained: bool
) -> None:
    assert (unexplained(message, faults) == "") is is_explained
