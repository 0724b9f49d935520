"""Several schedulers on one set of records, each with an old picture, while servers come and go: no host is overcommitted."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from kilonova.domain.allocation import Claim
from kilonova.domain.clock import Ids
from kilonova.domain.host import Host, HostDefaults
from kilonova.rpc.inprocess import InProcessBus
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import hosts
from kilonova.store.tables.hosts import allocations
from tests.unit.scheduler.building import facts, request
from tests.world.clock import ManualClock

DEFAULTS = HostDefaults(cpu_ratio=1.5, ram_ratio=0.9, disk_ratio=1.0, ram_mib_reserved=256, disk_gib_reserved=3)
FLAVORS = [(1, 256, 2), (2, 512, 5), (1, 700, 1), (3, 128, 0)]
START = ManualClock().now()


@pytest.fixture
def schedulers(database: Database) -> Iterator[list[SchedulerService]]:
    """Three over seven uneven hosts. Nobody tells them of claims: what they know is what they read when they began."""
    with database.write() as tx:
        for number in range(7):
            size = facts(vcpus=3 + number % 3, ram_mib=2048 + 512 * (number % 2), disk_gib=20)
            hosts.register(tx, f"host-{number}", "boot", size, defaults=DEFAULTS, ids=Ids(), now=START)
    with ExitStack() as stack:
        made = []
        for seed in range(3):
            settings = SchedulerSettings(refresh_s=3600)
            one = SchedulerService(database, InProcessBus(), ManualClock(), settings, random.Random(seed))
            one.start()
            stack.callback(one.stop)
            made.append(one)
        yield made


def is_within_its_ratios(host: Host) -> bool:
    return (
        host.vcpus_used <= host.facts.vcpus * host.cpu_ratio
        and host.ram_mib_used <= (host.facts.ram_mib - host.ram_mib_reserved) * host.ram_ratio
        and host.disk_gib_used <= (host.facts.disk_gib - host.disk_gib_reserved) * host.disk_ratio
    )


class Tenant:
    """One who boots and deletes servers through one scheduler, and looks at the hosts after each claim."""

    def __init__(self, database: Database, scheduler: SchedulerService, seed: int) -> None:
        self._database, self._scheduler, self._rng = database, scheduler, random.Random(seed)
        self._mine: list[str] = []
        self.overcommitted: list[Host] = []
        self.placed = self.late = self.refused = 0

    def work(self) -> None:
        for _ in range(25):
            if self._mine and self._rng.random() < 0.3:
                with self._database.write() as tx:
                    assert hosts.release(tx, self._mine.pop(self._rng.randrange(len(self._mine))))
            else:
                self._boot(*self._rng.choice(FLAVORS))

    def _boot(self, vcpus: int, ram_mib: int, disk_gib: int) -> None:
        wanted = Claim(server_id=str(uuid.uuid4()), vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)
        asked = request(server_id=wanted.server_id, vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib)
        while candidates := self._scheduler.place(asked).candidates:
            for candidate in candidates:
                with self._database.write() as tx:
                    use = hosts.claim(tx, candidate.host_id, wanted, START)
                    self.overcommitted += [host for host in hosts.every(tx) if not is_within_its_ratios(host)]
                if use is not None:
                    self._mine.append(wanted.server_id)
                    self.placed += 1
                    return
                self.late += 1
            self._scheduler.refresh()  # as hearing of the others' claims would
        self.refused += 1


def test_no_host_is_overcommitted_whoever_decides_on_whatever_picture(
    database: Database, schedulers: list[SchedulerService]
) -> None:
    tenants = [Tenant(database, schedulers[seed % 3], seed) for seed in range(6)]
    threads = [threading.Thread(target=tenant.work) for tenant in tenants]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads)
    assert [host for tenant in tenants for host in tenant.overcommitted] == []
    # The fleet was full and old pictures were met, or this test has shown nothing.
    assert all(sum(getattr(tenant, name) for tenant in tenants) for name in ("placed", "late", "refused"))
    with database.read() as tx:
        every = hosts.every(tx)
        held = tx.execute(allocations.select()).all()
    sums = {host.id: (host.servers, host.vcpus_used, host.ram_mib_used, host.disk_gib_used) for host in every}
    assert sums == {
        host.id: tuple(
            map(
                sum,
                zip(
                    (0, 0, 0, 0),
                    *[(1, c.vcpus, c.ram_mib, c.disk_gib) for c in held if c.host_id == host.id],
                    strict=True,
                ),
            )
        )
        for host in every
    }
