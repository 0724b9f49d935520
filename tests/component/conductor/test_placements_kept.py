"""What is kept of every decision on where a server goes, on both engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kilonova.conductor.kernel.definition import Definition, Failure, StepFailed
from kilonova.conductor.sagas.boot import PlaceStep
from kilonova.domain.allocation import Claim
from kilonova.domain.placement import Decision, told
from kilonova.domain.saga import about_server
from kilonova.store.database import Database
from kilonova.store.queries import flavors, hosts, placements, sagas
from tests.world.plane import FLAVOR, World

HOSTS = 6
UNLUCKY = "This host has no space for the disk."


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path, hosts_count=HOSTS)


def kept(world: World, server_id: str) -> list[placements.Attempt]:
    with world.db.read() as tx:
        return placements.of_server(tx, server_id)


def edit_step(world: World, name: str, method: str, edit: Callable[[Any], Any]) -> None:
    """Build the process anew with a method of a step of the boot edited."""

    def edited(definition: Definition) -> Definition:
        for step in definition.steps:
            if (definition.kind, step.name) == ("boot", name):
                setattr(step, method, edit(getattr(step, method)))
        return definition

    world.edit = edited
    world.kill()


def with_spawn_failing(world: World, times: int) -> None:
    """The first `times` hosts that are told to make the machine cannot."""
    failed: list[str] = []

    def unlucky(inner: Callable[[Any, Any, Any], Any]) -> Callable[[Any, Any, Any], Any]:
        def reply(tx: Any, run: Any, outcome: Any) -> Any:
            if len(failed) < times:
                failed.append(run.result(PlaceStep).host)
                raise StepFailed(Failure(message=UNLUCKY, elsewhere=True, host=failed[-1]))
            return inner(tx, run, outcome)

        return reply

    edit_step(world, "spawn", "reply", unlucky)


def huge_flavor(world: World) -> str:
    with world.db.write() as tx:
        usual = flavors.get(tx, FLAVOR, project_id=None, every=True)
        flavors.add(tx, msgspec.structs.replace(usual, id="huge", name="huge", ram_mib=50_000))
    return "huge"


def test_a_boot_keeps_who_was_asked_and_why_it_went_where_it_did(world: World) -> None:
    server_id = world.boot()
    world.settle()
    (attempt,) = kept(world, server_id)
    choice, why = attempt.choice, attempt.choice.explanation
    assert (attempt.kind, attempt.number, attempt.setback, attempt.failed) == ("boot", 1, None, None)
    assert (attempt.request.server_id, attempt.request.flavor_name) == (server_id, FLAVOR)
    assert (choice.host, choice.zone, choice.passed_over) == (world.server(server_id).host, "nova", ())
    assert (why.hosts, why.left, len(why.best), why.nearest_miss) == (HOSTS, HOSTS, 3, None)
    assert [step.name for step in why.steps][:2] == ["ForcedHostFilter", "ExcludedHostsFilter"]
    assert choice.host == why.best[0].host
    assert all(0 not in one.parts.values() for one in why.best)


def test_a_no_is_kept_with_the_nearest_miss_and_says_what_the_fault_says(world: World) -> None:
    server_id = world.boot(flavor=huge_flavor(world))
    world.settle()
    (attempt,) = kept(world, server_id)
    fault = world.server(server_id).fault
    assert fault is not None
    miss = attempt.choice.explanation.nearest_miss
    assert miss is not None
    assert (attempt.choice.host, miss.lacks) == (None, f"{50_000 - 4096} MiB RAM")
    assert attempt.failed == fault.message
    assert fault.message.endswith(f"The host that came closest lacks {miss.lacks}.")
    assert fault.details == f"Nearest miss: {miss.host}."


def test_attempts_are_kept_in_order_with_the_host_that_failed_and_why(world: World) -> None:
    with_spawn_failing(world, 1)
    server_id = world.boot()
    world.settle()
    first, second = kept(world, server_id)
    assert (first.number, second.number) == (1, 2)
    assert first.setback is not None
    assert (first.setback.step, first.setback.message) == ("spawn", UNLUCKY)
    assert (second.setback, second.choice.host) == (None, world.server(server_id).host)
    assert first.choice.host != second.choice.host
    excluded = next(step for step in second.choice.explanation.steps if step.name == "ExcludedHostsFilter")
    assert (excluded.removed, excluded.reason) == (1, "tried before, or not wanted")


@pytest.mark.parametrize(("hosts_count", "last"), [(HOSTS, UNLUCKY), (2, "No valid host was found. 2 hosts asked;")])
def test_the_fault_after_several_attempts_tells_every_ones_reason(
    database: Database, tmp_path: Path, hosts_count: int, last: str
) -> None:
    world = World(database, tmp_path, hosts_count=hosts_count)
    with_spawn_failing(world, 3)
    server_id = world.boot()
    world.settle()
    attempts, fault = kept(world, server_id), world.server(server_id).fault
    assert fault is not None
    assert fault.message == told([str(attempt.failed) for attempt in attempts])
    assert fault.message.startswith(last)
    assert f"Attempt 1 failed: {UNLUCKY} Attempt 2 failed: {UNLUCKY}" in fault.message
    tried = ", ".join(str(attempt.choice.host) for attempt in attempts if attempt.choice.host)
    assert fault.details.endswith(f"Tried: {tried}.")


def test_a_candidate_that_is_full_by_the_time_of_the_claim_is_kept_as_passed_over(world: World) -> None:
    taken: list[str] = []

    def late(inner: Callable[[Any], Decision]) -> Callable[[Any], Decision]:
        def prepare(run: Any) -> Decision:
            decision = inner(run)
            best = decision.candidates[0]
            taken.append(best.host)
            with world.db.write() as tx:
                large = Claim(server_id="another", vcpus=1, ram_mib=4096, disk_gib=100)
                assert hosts.claim(tx, best.host_id, large, world.clock.now()) is not None
            return decision

        return prepare

    edit_step(world, "place", "prepare", late)
    server_id = world.boot()
    world.settle()
    (attempt,) = kept(world, server_id)
    (passed_over,) = attempt.choice.passed_over
    assert passed_over.host == taken[0]
    assert "no room left" in passed_over.why
    assert attempt.choice.host == world.server(server_id).host != taken[0]


def test_what_is_kept_of_a_boot_is_small(world: World) -> None:
    server_id = world.boot()
    world.settle()
    with world.db.read() as tx:
        journal = sagas.events(tx, sagas.of_subject(tx, about_server(server_id))[0].id)
    line = next(event for event in journal if event.step == placements.STEP)
    assert len(bytes(line.result)) < 3000
