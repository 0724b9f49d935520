"""
What scheduling costs: `python benchmarks/scheduler.py` prints JSON.

`decide`: one decision, all default filters and weighers, on a fleet of uneven hosts of which one changed since the last decision
(as after a claim). `claims`: servers placed and claimed in the records, SQLite in WAL mode with synchronous=NORMAL, by threads at
once, until the fleet is nine tenths full; `first_choice` is the share that got the host named first, `asked_again` counts
decisions of which no host had room any more, `spread_pct` is how uneven the hosts' use ends: its standard deviation in per cent
of their size. `records`: the whole fleet read at start, and its pulse read every few seconds.
"""

from __future__ import annotations

import gc
import random
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.clock import Ids, SystemClock
from kilonova.domain.host import Host, HostFacts, HostUse
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import FleetUse, Place, Placed
from kilonova.scheduler.decide import decide
from kilonova.scheduler.fleet import fleet_of
from kilonova.scheduler.live import LiveFleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.service import SchedulerService
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import hosts
from kilonova.store.tables import metadata

SIZES = (1_000, 10_000, 100_000)
DECISIONS = 1000
CLAIM_HOSTS, THREADS = 100, 4
NOW = datetime.now(UTC)


def facts(rng: random.Random) -> HostFacts:
    return HostFacts(
        vcpus=rng.choice((16, 32, 64)), ram_mib=rng.choice((65536, 131072, 262144)), disk_gib=2000,
        hypervisor_type="KVM", hypervisor_version=8_002_000, accelerator="kvm", arch="x86_64", address=str(uuid.uuid4()),
    )  # fmt: skip


def uneven_hosts(count: int, rng: random.Random) -> Iterator[Host]:
    for number in range(count):
        yield Host(
            id=str(uuid.uuid4()), service_id=str(uuid.uuid4()), number=number, name=f"host-{number}", zone="nova",
            facts=facts(rng), vcpus_used=rng.randrange(200), ram_mib_used=rng.randrange(0, 65536, 512),
            disk_gib_used=rng.randrange(1500), servers=4, cpu_ratio=16.0, ram_ratio=1.0, disk_ratio=1.0,
            ram_mib_reserved=512, disk_gib_reserved=10, generation=1, disabled=rng.random() < 0.01,
            disabled_reason=None, forced_down=False, boot_id="", started_at=NOW, seen_at=NOW, created_at=NOW,
            updated_at=None,
        )  # fmt: skip


def wanted(rng: random.Random) -> SchedulingRequest:
    vcpus = rng.choice((1, 2, 4))
    return SchedulingRequest(
        server_id=str(uuid.uuid4()), project_id="", vcpus=vcpus, ram_mib=2048 * vcpus, disk_gib=10 * vcpus,
        image_properties={"hw_architecture": "x86_64"} if rng.random() < 0.3 else {},
    )  # fmt: skip


def decisions(count: int) -> dict[str, float]:
    rng = random.Random(count)
    every = list(uneven_hosts(count, rng))
    began = time.perf_counter()
    live = LiveFleet(fleet_of(every, NOW))
    load_s = time.perf_counter() - began
    profile = profile_of(SchedulerSettings())
    taken = []
    gc.collect()
    for generation in range(2, DECISIONS + 2):
        request = wanted(rng)
        began = time.perf_counter()
        with live.look() as fleet:
            best = decide(fleet, request, profile, rng).candidates[0]
        taken.append((time.perf_counter() - began) * 1000)
        use = HostUse(
            host_id=best.host_id, generation=generation, vcpus_used=rng.randrange(200), ram_mib_used=32768,
            disk_gib_used=500, servers=5,
        )  # fmt: skip
        live.apply(use)
    cuts = statistics.quantiles(taken[10:], n=100)
    return {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3), "load_s": round(load_s, 2)}


class Tally:
    """What became of the servers; a field is written by one thread at a time, under `lock`."""

    def __init__(self, servers: int) -> None:
        self.lock = threading.Lock()
        self.left, self.placed, self.first, self.again, self.nowhere = servers, 0, 0, 0, 0

    def take(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def count(self, tries: int, again: int) -> None:
        with self.lock:
            self.placed += 1
            self.first += tries == 1
            self.again += again


def place(database: Database, bus: InProcessBus, tally: Tally, rng: random.Random) -> None:
    while tally.take():
        request, tries, again = wanted(rng), 0, 0
        while True:
            answer = bus.call("scheduler", Place(request=request))
            assert isinstance(answer, Placed)
            if not answer.decision.candidates:
                tally.nowhere += 1
                break
            claimed, tried = claim(database, bus, request, [one.host_id for one in answer.decision.candidates])
            tries += tried
            if claimed:
                tally.count(tries, again)
                break
            again += 1


def claim(database: Database, bus: InProcessBus, request: SchedulingRequest, choice: list[str]) -> tuple[bool, int]:
    amount = hosts.Claim(
        server_id=request.server_id, vcpus=request.vcpus, ram_mib=request.ram_mib, disk_gib=request.disk_gib
    )
    with database.write() as tx:
        for tries, host_id in enumerate(choice, 1):
            use = hosts.claim(tx, host_id, amount, NOW)
            if use is not None:
                tx.after_commit(partial(bus.fanout, "scheduler", FleetUse(use=use)))
                return True, tries
    return False, len(choice)


def claims(folder: Path, settings: SchedulerSettings) -> dict[str, float]:
    rng = random.Random(1)
    database, bus = Database(f"sqlite:///{folder / f'{uuid.uuid4()}.db'}"), InProcessBus()
    metadata.create_all(database.engine)
    defaults = hosts.HostDefaults(ram_ratio=1.0)
    with database.write() as tx:
        for number in range(CLAIM_HOSTS):
            hosts.register(tx, f"host-{number}", "", facts(rng), defaults=defaults, ids=Ids(rng), now=datetime.now(UTC))
    with database.read() as tx:
        tally = Tally(int(0.9 * sum(host.facts.ram_mib for host in hosts.every(tx)) / (2048 * 7 / 3)))
    scheduler = SchedulerService(database, bus, SystemClock(), settings, rng)
    scheduler.start()
    threads = [threading.Thread(target=place, args=(database, bus, tally, random.Random(i))) for i in range(THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    scheduler.stop()
    with database.read() as tx:
        full = [100 * host.ram_mib_used / host.facts.ram_mib for host in hosts.every(tx)]
    database.close()
    return {
        "placements_per_s": round(tally.placed / took), "placed": tally.placed, "nowhere": tally.nowhere,
        "first_choice": round(tally.first / tally.placed, 4), "asked_again": tally.again,
        "spread_pct": round(statistics.pstdev(full), 2),
    }  # fmt: skip


def records(folder: Path, count: int) -> dict[str, float]:
    rng = random.Random(1)
    database = Database(f"sqlite:///{folder / 'records.db'}")
    metadata.create_all(database.engine)
    with database.write() as tx:
        for number in range(count):
            hosts.register(tx, f"host-{number}", "", facts(rng), defaults=hosts.HostDefaults(), ids=Ids(rng), now=NOW)
    scheduler = SchedulerService(database, InProcessBus(), SystemClock(), SchedulerSettings())
    taken = []
    for _ in range(2):
        began = time.perf_counter()
        scheduler.refresh()
        taken.append(round(time.perf_counter() - began, 3))
    database.close()
    return {"hosts": count, "load_s": taken[0], "pulse_s": taken[1]}


def main() -> None:
    figures: dict[str, object] = {"decide": {str(size): decisions(size) for size in SIZES}}
    with tempfile.TemporaryDirectory() as folder:
        figures["claims"] = claims(Path(folder), SchedulerSettings())
        figures["records"] = records(Path(folder), 10_000)
    print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())


if __name__ == "__main__":
    main()
