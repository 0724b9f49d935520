"""
What scheduling costs at a given size: `kilonova bench scheduler` and `benchmarks/scheduler.py` print what this measures.

The fleet is uneven; requests are of 12 shapes, 15% want a trait and 15% are of an anti-affinity group; all default filters and
weighers are on, and each claim takes what its request asked for. Warm: a decision after one claim, shapes known. Cold: a decision
of a shape that is not known. Bursts: as many decisions as arrive together, then their claims folded in. Durable: claims on SQLite
with synchronous=FULL, 64 in a transaction. Records: as many servers as hosts, read from SQLite (`bench_records.py`).

Times are by the clock on the wall. On a machine that has other things to do the last percents are those other things', so the
same percentiles of the thread's own CPU time stand beside them, and a bare numpy pass over as many hosts is the yardstick.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from kilonova.domain.allocation import Claim
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.clock import Ids
from kilonova.domain.host import Host, HostDefaults, HostFacts, HostUse
from kilonova.domain.placement import Candidate
from kilonova.scheduler import bench_records
from kilonova.scheduler.fleet import DISK, RAM, VCPUS, Group, fleet_of
from kilonova.scheduler.live import LiveFleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import hosts
from kilonova.store.schema import ensure_schema

DECISIONS, COLD, BURST, BURSTS, IN_ONE_CLAIM = 1000, 100, 512, 8, 64
MOST_RECORDS = 100_000  # more are as many times slower to read, and minutes to write
_TRAIT = "HW_CPU_X86_AVX2"
_GROUPS = 200


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one size of fleet. Times of a decision in ms; `_cpu` is the thread's own CPU time."""

    hosts: int
    p50_ms: float
    p99_ms: float
    p99_cpu_ms: float
    cold_p50_ms: float
    cold_p99_ms: float
    cold_p99_cpu_ms: float
    numpy_pass_ms: float  # three comparisons, three figures, the best host
    single_placements_per_s: int
    placements_per_s: int  # in bursts
    durable_claims_per_s: int
    columns_s: float  # to make the columns of records that are read
    load_s: (
        float | None
    )  # to read the records of hosts and servers and make the columns; None of more than MOST_RECORDS
    refresh_s: float | None  # to read again what may have changed
    memory_mib: int  # the process's peak so far
    load_average: float  # of the machine meanwhile


class _Times:
    """How long decisions took, by the wall and by the CPU, in ms."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def best(self, live: LiveFleet, asked: SchedulingRequest, rng: random.Random) -> Candidate:
        """The best host, timed."""
        wall, cpu = time.perf_counter(), time.thread_time()
        best = live.choose(asked, rng).candidates[0]
        self.cpu.append((time.thread_time() - cpu) * 1000)
        self.wall.append((time.perf_counter() - wall) * 1000)
        return best


class _Claims:
    """What the records say is used."""

    def __init__(self, live: LiveFleet) -> None:
        self._use, self._place = live.fleet.use.copy(), live.fleet.roster.by_id

    def add(self, best: Candidate, asked: SchedulingRequest) -> HostUse:
        """A claim: the host's use with it."""
        host = self._place[best.host_id]
        self._use[:, host] += (asked.vcpus, asked.ram_mib, asked.disk_gib, 1, 1)
        vcpus, ram_mib, disk_gib, servers, generation = self._use[:, host].tolist()
        return HostUse(
            host_id=best.host_id, generation=generation, vcpus_used=vcpus, ram_mib_used=ram_mib,
            disk_gib_used=disk_gib, servers=servers,
        )  # fmt: skip


def measure(count: int, seed: int = 1, *, with_records: bool = True) -> Figures:
    """All of it at one size."""
    rng = random.Random(seed)  # noqa: S311 - variety, no secret
    began = time.perf_counter()
    live = _live(count, rng)
    columns_s = time.perf_counter() - began
    claims = _Claims(live)
    for _ in range(300):
        live.decide(_request(rng), rng)
    cold = _Times()
    for unseen in range(COLD):
        cold.best(live, _request(rng, ram_mib=1000 + unseen), rng)
    warm, single = _warm(live, claims, rng)
    in_bursts, numpy_pass_ms = _bursts(live, claims, rng), _yardstick(live)
    records = bench_records.read(list(_uneven(count, rng))) if with_records and count <= MOST_RECORDS else None
    return Figures(
        hosts=count, p50_ms=_cut(warm.wall, 50), p99_ms=_cut(warm.wall, 99), p99_cpu_ms=_cut(warm.cpu, 99),
        cold_p50_ms=_cut(cold.wall, 50), cold_p99_ms=_cut(cold.wall, 99), cold_p99_cpu_ms=_cut(cold.cpu, 99),
        numpy_pass_ms=numpy_pass_ms, single_placements_per_s=round(single), placements_per_s=round(in_bursts),
        durable_claims_per_s=round(_durable(min(count, 1000), rng)), columns_s=round(columns_s, 2),
        load_s=records and round(records.load_s, 2), refresh_s=records and round(records.refresh_s, 2),
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        load_average=round(os.getloadavg()[0], 2),
    )  # fmt: skip


def _live(count: int, rng: random.Random) -> LiveFleet:
    groups = {
        f"group-{i}": Group("anti-affinity", np.array([rng.randrange(count)], np.intp), np.array([1], np.int64))
        for i in range(_GROUPS)
    }
    live = LiveFleet(fleet_of(list(_uneven(count, rng)), _now(), groups), profile_of(SchedulerSettings()))
    _ = live.fleet.roster.by_id
    return live


def _warm(live: LiveFleet, claims: _Claims, rng: random.Random) -> tuple[_Times, float]:
    """Decisions with a claim after each, and how many a second."""
    times, began = _Times(), time.perf_counter()
    for _ in range(DECISIONS):
        asked = _request(rng)
        live.apply(claims.add(times.best(live, asked, rng), asked))
    return times, DECISIONS / (time.perf_counter() - began)


def _bursts(live: LiveFleet, claims: _Claims, rng: random.Random) -> float:
    """The median burst's decisions a second."""
    rates = []
    for _ in range(BURSTS):
        requests = [_request(rng) for _ in range(BURST)]
        began = time.perf_counter()
        for asked, best in [(asked, live.choose(asked, rng).candidates[0]) for asked in requests]:
            live.apply(claims.add(best, asked))
        _ = live.fleet  # what they claimed is folded in
        rates.append(BURST / (time.perf_counter() - began))
    return statistics.median(rates)


def _yardstick(live: LiveFleet) -> float:
    """The quickest of some bare passes, in ms."""
    free = (live.fleet.room[:3] - live.fleet.use[:3]).astype(np.float64)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        fits = (free[VCPUS] >= 4) & (free[RAM] >= 8192) & (free[DISK] >= 40)
        score = free[VCPUS] * 0.01 + free[RAM] * 0.0001 + free[DISK] * 0.001
        np.where(fits, score, -np.inf).argmax()
        took.append((time.perf_counter() - began) * 1000)
    return round(min(took), 3)


def _durable(count: int, rng: random.Random) -> float:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'bench.db'}", durable=True)
        ensure_schema(database)
        with database.write() as tx:
            made = [
                hosts.register(tx, f"host-{i}", "", _facts(rng), defaults=HostDefaults(), ids=Ids(rng), now=_now())
                for i in range(count)
            ]
        began, groups = time.perf_counter(), 40
        for _ in range(groups):
            with database.write() as tx:
                for _ in range(IN_ONE_CLAIM):
                    wanted = Claim(server_id=str(uuid.uuid4()), vcpus=1, ram_mib=64, disk_gib=0)
                    hosts.claim(tx, rng.choice(made).host.id, wanted, _now())
        took = time.perf_counter() - began
        database.close()
    return groups * IN_ONE_CLAIM / took


def _cut(taken: list[float], percent: int) -> float:
    return round(statistics.quantiles(taken, n=100)[percent - 1], 3)


def _request(rng: random.Random, ram_mib: int | None = None) -> SchedulingRequest:
    vcpus, kind = rng.choice((1, 2, 4, 8)), rng.random()
    return SchedulingRequest(
        server_id="", project_id="", vcpus=vcpus, ram_mib=ram_mib or 2048 * vcpus, disk_gib=10 * vcpus,
        extra_specs={f"trait:{_TRAIT}": "required"} if kind < 0.15 else {},
        image_properties={"hw_architecture": "x86_64"} if kind > 0.6 else {},
        hints={"group": f"group-{rng.randrange(_GROUPS)}"} if 0.15 <= kind < 0.3 else {},
    )  # fmt: skip


def _facts(rng: random.Random) -> HostFacts:
    return HostFacts(
        vcpus=rng.choice((16, 32, 64)), ram_mib=rng.choice((65536, 131072, 262144)), disk_gib=2000,
        hypervisor_type="KVM", hypervisor_version=8_002_000, accelerator="kvm", arch="x86_64",
        traits=(_TRAIT,) if rng.random() < 0.5 else (),
    )  # fmt: skip


def _uneven(count: int, rng: random.Random) -> Iterator[Host]:
    now, kinds = _now(), [_facts(rng) for _ in range(64)]
    for number in range(1, count + 1):
        yield Host(
            id=f"id-{number}", service_id=f"service-{number}", number=number, name=f"host-{number}", zone="nova",
            facts=rng.choice(kinds), vcpus_used=rng.randrange(200), ram_mib_used=rng.randrange(0, 65536, 512),
            disk_gib_used=rng.randrange(1500), servers=4, cpu_ratio=16.0, ram_ratio=1.0, disk_ratio=1.0,
            ram_mib_reserved=512, disk_gib_reserved=10, generation=1, disabled=rng.random() < 0.01,
            disabled_reason=None, forced_down=False, boot_id="", started_at=now, seen_at=now, created_at=now,
            updated_at=None,
        )  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)
