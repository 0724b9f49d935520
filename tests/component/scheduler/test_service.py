"""The scheduler over real records: what it hears, what it reads, and claims made on what it says."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import update

from kilonova.domain.allocation import Claim
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.clock import Ids
from kilonova.domain.host import HostDefaults
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import FleetChanged, FleetUse, Place, Placed
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import hosts, providers
from kilonova.store.tables.hosts import hosts as table
from tests.unit.scheduler.building import facts, request
from tests.world.clock import ManualClock

START = ManualClock().now()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def bus() -> InProcessBus:
    return InProcessBus()


@pytest.fixture
def scheduler(database: Database, bus: InProcessBus, clock: ManualClock) -> Iterator[SchedulerService]:
    made = SchedulerService(database, bus, clock, SchedulerSettings(), random.Random(1))
    made.start()
    yield made
    made.stop()


def join(database: Database, name: str, now: datetime = START, **about: int) -> str:
    defaults = HostDefaults(cpu_ratio=1.0, ram_ratio=1.0)
    with database.write() as tx:
        return hosts.register(tx, name, "boot", facts(**about), defaults=defaults, ids=Ids(), now=now).host.id


def ask(bus: InProcessBus, wanted: SchedulingRequest) -> Placed:
    answer = bus.call("scheduler", Place(request=wanted, request_id="req-1"))
    assert isinstance(answer, Placed)
    return answer


def claim(database: Database, bus: InProcessBus, host_id: str, wanted: SchedulingRequest) -> bool:
    """What the boot saga does with a candidate."""
    amount = Claim(server_id=wanted.server_id, vcpus=wanted.vcpus, ram_mib=wanted.ram_mib, disk_gib=wanted.disk_gib)
    with database.write() as tx:
        use = hosts.claim(tx, host_id, amount, START)
        if use is not None:
            tx.after_commit(partial(bus.fanout, "scheduler", FleetUse(use=use)))
    return use is not None


def boot(database: Database, bus: InProcessBus, wanted: SchedulingRequest) -> str | None:
    """Place and claim, as often as the picture was old; None when nothing fits."""
    while candidates := ask(bus, wanted).decision.candidates:
        for candidate in candidates:
            if claim(database, bus, candidate.host_id, wanted):
                return candidate.host_id
    return None


@pytest.mark.usefixtures("scheduler")
def test_an_answer_names_a_host_and_carries_the_request_id(database: Database, bus: InProcessBus) -> None:
    join(database, "one")
    answer = ask(bus, request())
    assert ([candidate.host for candidate in answer.decision.candidates], answer.request_id) == (["one"], "req-1")


@pytest.mark.usefixtures("scheduler")
def test_a_no_is_never_said_on_an_old_picture(database: Database, bus: InProcessBus) -> None:
    host_id = join(database, "one", vcpus=1)
    first, second = request(server_id=str(uuid.uuid4())), request(server_id=str(uuid.uuid4()))
    assert claim(database, bus, host_id, first)
    assert not ask(bus, second).decision.candidates
    with database.write() as tx:
        hosts.release(tx, first.server_id)  # nobody tells the scheduler
    assert ask(bus, second).decision.candidates


def test_a_use_that_is_heard_of_counts_at_once(
    database: Database, bus: InProcessBus, scheduler: SchedulerService
) -> None:
    wide, narrow = join(database, "wide", ram_mib=4096), join(database, "narrow", ram_mib=1024)
    scheduler.refresh()
    assert ask(bus, request(ram_mib=1024)).decision.candidates[0].host == "wide"
    assert claim(database, bus, wide, request(server_id=str(uuid.uuid4()), ram_mib=4096))
    scheduler.stop()  # all that was sent is handled
    assert [one.host_id for one in scheduler.place(request(ram_mib=1024)).candidates] == [narrow]


def test_hosts_that_are_not_heard_of_are_down_after_a_minute(
    database: Database, bus: InProcessBus, clock: ManualClock, scheduler: SchedulerService
) -> None:
    join(database, "one")
    assert ask(bus, request()).decision.candidates
    clock.advance(60)
    scheduler.refresh()
    assert ask(bus, request()).decision.candidates
    clock.advance(0.1)
    scheduler.refresh()
    assert "1 down" in ask(bus, request()).decision.explanation.sentence()
    with database.write() as tx:
        hosts.seen(tx, ["one"], clock.now())
    assert ask(bus, request()).decision.candidates


def test_other_changes_of_a_host_are_read_again(database: Database, scheduler: SchedulerService) -> None:
    join(database, "one")
    scheduler.refresh()
    with database.write() as tx:
        tx.execute(update(table).values(zone="az1", updated_at=START + timedelta(seconds=1)))
    scheduler.refresh()
    assert scheduler.place(request(availability_zone="az1")).candidates


def test_traits_that_operators_say_count_as_those_that_agents_find(
    database: Database, scheduler: SchedulerService
) -> None:
    host_id = join(database, "one")
    wanted = request(extra_specs={"trait:CUSTOM_GOLD": "required"})
    assert not scheduler.place(wanted).candidates
    for names, hosts_found in (["CUSTOM_GOLD"], ["one"]), ([], []):
        with database.write() as tx:
            host = hosts.by_name(tx, "one")
            assert host is not None
            providers.say_traits(tx, host_id, names)
            assert providers.advance(tx, host_id, host.generation, START + timedelta(seconds=host.generation))
        scheduler.refresh()
        assert [candidate.host for candidate in scheduler.place(wanted).candidates] == hosts_found


def test_the_clock_and_changes_have_the_records_read(
    database: Database, bus: InProcessBus, clock: ManualClock, scheduler: SchedulerService
) -> None:
    read = threading.Semaphore(0)
    refresh = scheduler.refresh
    scheduler.refresh = lambda **how: (refresh(**how), read.release())[0]  # type: ignore[method-assign]
    bus.fanout("scheduler", FleetChanged())
    assert read.acquire(timeout=10)
    while not read.acquire(timeout=0.01):  # the thread may not have set its timer again
        clock.advance(SchedulerSettings().refresh_s)


def test_many_at_once_never_overcommit_and_fill_every_place(
    database: Database, bus: InProcessBus, scheduler: SchedulerService
) -> None:
    for number in range(5):
        join(database, f"host-{number}", vcpus=4, ram_mib=2048)
    scheduler.refresh()
    placed: list[str | None] = []

    def work() -> None:
        placed.extend(boot(database, bus, request(server_id=str(uuid.uuid4()))) for _ in range(7))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    with database.read() as tx:
        every = hosts.every(tx)
    assert [(host.vcpus_used, host.ram_mib_used, host.servers) for host in every] == [(4, 2048, 4)] * 5
    assert (len(placed), placed.count(None)) == (28, 8)
