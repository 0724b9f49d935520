"""Overload: tenants take turns, what cannot be placed holds nobody up, and past a bound the API says when to ask again."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kilonova.compute.backlog import Bounds, TooManyWaiting
from kilonova.compute.boot import BootServers
from kilonova.compute.request import BootRequest
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Unavailable
from kilonova.domain.server import Lifecycle
from kilonova.network.resolve import NicResolver
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import Message, Place
from kilonova.store.database import Database
from kilonova.store.queries import quotas, saga_leases
from tests.world.plane import FLAVOR, IMAGE, NETWORK, TENANT, OneImage, World

BUSY, QUIET = TENANT, msgspec.structs.replace(TENANT, project_id="project-b")
BURST = 30


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    made = World(database, tmp_path)
    with database.write() as tx:
        for ctx in (BUSY, QUIET):
            quotas.set_limits(tx, str(ctx.project_id), {"instances": -1, "cores": -1, "ram": -1})
    return made


def ask(world: World, ctx: RequestContext, count: int = 1, *, boot: BootServers | None = None) -> tuple[str, ...]:
    request = BootRequest(name="vm", flavor_ref=FLAVOR, image_ref=IMAGE, min_count=count)
    return (boot or world.boot_servers)(ctx, request).server_ids


def bounded(world: World, bounds: Bounds) -> BootServers:
    nics = NicResolver(world.clock, world.ids, NETWORK)
    return BootServers(world.runtime, images=OneImage(world.clock), nics=nics, bounds=bounds)


def is_placed(world: World, server_id: str) -> bool:
    return world.server(server_id).host is not None


def test_a_burst_delays_another_tenant_by_its_share_alone(world: World) -> None:
    burst = ask(world, BUSY, BURST)
    (one,) = ask(world, QUIET)
    for _ in range(2):
        assert world.runner.run_next()
    assert is_placed(world, one)
    assert sum(is_placed(world, server_id) for server_id in burst) == 1


def test_the_pass_is_fair_too_when_every_wake_up_was_lost(world: World) -> None:
    ask(world, BUSY, BURST)
    (one,) = ask(world, QUIET)
    world.kill()
    world.runner.look()
    for _ in range(2):
        assert world.runner.run_next()
    assert is_placed(world, one)


def test_one_that_cannot_be_placed_now_holds_nobody_up(world: World) -> None:
    stubborn, *others = ask(world, BUSY, 4)
    call = world.bus.call

    def answer(topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        if isinstance(message, Place) and message.request.server_id == stubborn:
            raise NoAnswer(topic)
        return call(topic, message, timeout_s=timeout_s)

    world.bus.call = answer  # type: ignore[method-assign]
    while world.runner.run_next():
        pass
    assert not is_placed(world, stubborn)
    assert all(is_placed(world, server_id) for server_id in others)


def test_a_pass_goes_on_where_it_left_off_and_begins_again(world: World) -> None:
    ask(world, BUSY, 7)
    seen: list[str] = []
    after = None
    with world.db.read() as tx:
        while page := saga_leases.due(tx, world.clock.now(), 3, after=after):
            seen += [saga.id for saga in page]
            after = page[-1]
    assert len(seen) == len(set(seen)) == 7


def test_a_project_past_its_bound_is_told_when_to_ask_again_and_others_are_not(world: World) -> None:
    boot = bounded(world, Bounds(per_project=5, whole=100))
    accepted = ask(world, BUSY, 5, boot=boot)
    with pytest.raises(TooManyWaiting) as told:
        ask(world, BUSY, boot=boot)
    assert told.value.status == 429
    assert told.value.retry_after_s >= 1
    accepted += ask(world, QUIET, boot=boot)
    world.settle(60.0)
    assert {world.server(server_id).lifecycle for server_id in accepted} == {Lifecycle.BUILT}
    assert ask(world, BUSY, boot=boot)


def test_a_cloud_past_its_bound_tells_everybody_and_still_deletes(world: World) -> None:
    boot = bounded(world, Bounds(per_project=100, whole=3))
    (one, *_) = ask(world, BUSY, 3, boot=boot)
    with pytest.raises(Unavailable) as told:
        ask(world, QUIET, boot=boot)
    assert told.value.status == 503
    world.delete_server(BUSY, one)


def test_what_waits_is_counted_in_the_records_by_other_processes_too(world: World) -> None:
    ask(world, BUSY, 4)
    with pytest.raises(TooManyWaiting):
        ask(world, BUSY, boot=bounded(world, Bounds(per_project=4)))


def test_the_pass_reads_due_sagas_in_the_order_of_an_index(world: World) -> None:
    """A page costs the same however many are due, and however many have ended: only those of one moment are sorted."""
    if not world.db.is_sqlite:
        pytest.skip("a planner that goes by statistics reads a table of a few rows as it is")
    for query in (*saga_leases._DUE, saga_leases._WAITING_FOR_US):
        statement = query.compile(dialect=world.db.engine.dialect)
        with world.db.engine.connect() as connection:
            lines = [
                row[3]
                for row in connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", (0,) * len(statement.positiontup)
                )
            ]
        assert "SEARCH sagas USING INDEX ix_sagas_live (status=? AND wake_at" in lines[0] + lines[1], lines
        assert "USE TEMP B-TREE FOR ORDER BY" not in lines
