"""What schedulers read besides hosts' own records, each as records come and go: images, builds under way, builds that failed."""

from __future__ import annotations

import random
import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.clock import Ids
from kilonova.domain.host import HostDefaults
from kilonova.domain.server import Lifecycle
from kilonova.rpc.inprocess import InProcessBus
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import aggregates, hosts, servers
from kilonova.store.queries import fleet as fleet_queries
from kilonova.store.tables.sagas import saga_events, sagas
from tests.component.store.test_servers import server
from tests.unit.scheduler.building import facts, request
from tests.world.clock import ManualClock

START = ManualClock().now()
IMAGE = str(uuid.uuid4())


@pytest.fixture(autouse=True)
def records(database: Database) -> None:
    """Three hosts alike; the second has a server of the image, and is building another."""
    with database.write() as tx:
        for name in ("one", "two", "three"):
            hosts.register(tx, name, "boot", facts(), defaults=HostDefaults(), ids=Ids(), now=START)
        building: dict[str, Any] = {"lifecycle": Lifecycle.BUILDING, "host": "two"}
        servers.add(tx, [server(1, host="two", image_id=IMAGE), server(2, **building), server(3, host=None)])


def scheduler(database: Database, **settings: Any) -> SchedulerService:
    made = SchedulerService(database, InProcessBus(), ManualClock(), SchedulerSettings(**settings), random.Random(1))
    made.refresh()
    return made


def best(of: SchedulerService) -> dict[str, float]:
    """The parts of the best host's score, if that is the one with the image."""
    candidate = of.place(request(image_id=IMAGE)).candidates[0]
    return candidate.parts if candidate.host == "two" else {}


def test_images_are_read_while_a_weigher_wants_them(database: Database) -> None:
    assert best(scheduler(database, weighers={"ImageLocalityWeigher": 3.0})) == {"ImageLocalityWeigher": 3.0}
    unread = scheduler(database, weighers={"ImageLocalityWeigher": 0.0, "IoOpsWeigher": 1.0})
    assert best(unread) == {"IoOpsWeigher": 1.0}
    with database.write() as tx:
        new = Aggregate(
            id=str(uuid.uuid4()), number=1, name="a", metadata={"image_locality_weight_multiplier": "5"}, hosts=(),
            created_at=START, updated_at=None,
        )  # fmt: skip
        aggregates.add(tx, new)
        for name in ("one", "two", "three"):
            host = hosts.by_name(tx, name)
            assert host is not None
            aggregates.add_host(tx, new, host.id)
    for _ in range(2):  # the first reading learns of the aggregate
        unread.refresh()
    assert best(unread) == {"IoOpsWeigher": 1.0, "ImageLocalityWeigher": 5.0}


def test_servers_being_built_count_for_their_host(database: Database) -> None:
    with database.read() as tx:
        read = fleet_queries.host_context(tx, START - timedelta(minutes=10), with_images=False)
    assert (read.building, read.images, read.failures) == ({"two": 1}, frozenset(), {})
    capped = scheduler(database, enabled_filters=("IoOpsFilter",), max_io_ops_per_host=1)
    assert {one.host for one in capped.place(request()).candidates} == {"one", "three"}


def test_builds_that_failed_lately_count_against_their_host(database: Database) -> None:
    long_ago, lately = START - timedelta(minutes=30), START - timedelta(minutes=1)
    happened = [("step_failed", "one", lately), ("step_failed", "two", long_ago), ("step_done", "three", lately)]
    with database.write() as tx:
        saga = {
            "id": str(uuid.uuid4()),
            "kind": "boot",
            "subject_id": server(1).id,
            "request_id": "req-1",
            "params": "{}",
        }
        state = {"status": "parked", "attempt": 1, "cancel": False, "epoch": 1, "created_at": long_ago}
        tx.execute(insert(sagas), saga | state)
        events = [
            {"saga_id": saga["id"], "seq": seq, "event": event, "at": at, "attempt": 1, "step": "spawn", "host": host}
            for seq, (event, host, at) in enumerate(happened)
        ]
        tx.execute(insert(saga_events), events)
    wary = scheduler(database, weighers={"BuildFailureWeigher": 1.0})
    scores = {one.host: one.score for one in wary.place(request()).candidates}
    assert scores == {"one": 0.0, "two": 1.0, "three": 1.0}
