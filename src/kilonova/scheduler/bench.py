"""
What scheduling costs at a given size: `kilonova bench scheduler` and `benchmarks/scheduler.py` print what this measures.

The fleet is uneven; requests are of 12 shapes, 15% want a trait and 15% are of an anti-affinity group; all default filters and
weighers are on. Warm: a decision after one claim, shapes known. Cold: a decision of a shape that is not known. Bursts: as many
decisions as arrive together, then their claims folded in. Durable: claims on SQLite with synchronous=FULL, 64 in a transaction.
"""

from __future__ import annotations

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

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.clock import Ids
from kilonova.domain.host import Host, HostDefaults, HostFacts, HostUse
from kilonova.domain.placement import Candidate
from kilonova.scheduler.fleet import Group, fleet_of
from kilonova.scheduler.live import LiveFleet
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.database import Database
from kilonova.store.queries import hosts
from kilonova.store.schema import ensure_schema

DECISIONS, COLD, BURST, BURSTS, IN_ONE_CLAIM = 1000, 20, 512, 8, 64
_TRAIT = "HW_CPU_X86_AVX2"
_GROUPS = 200


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one size of fleet."""

    hosts: int
    p50_ms: float
    p99_ms: float
    cold_p50_ms: float
    cold_p99_ms: float
    single_placements_per_s: int
    placements_per_s: int  # in bursts
    durable_claims_per_s: int
    load_s: float
    memory_mib: int  # the process's peak so far


def measure(count: int, seed: int = 1) -> Figures:
    """All of it at one size."""
    rng = random.Random(seed)  # noqa: S311 - variety, no secret
    live, load_s = _load(count, rng)
    cold = [_timed(live, _request(rng, ram_mib=1000 + i), rng) for i in range(COLD)]
    for _ in range(300):
        _timed(live, _request(rng), rng)
    warm, began = [], time.perf_counter()
    for turn in range(DECISIONS):
        request = _request(rng)
        started = time.perf_counter()
        best = live.decide(request, rng).candidates[0]
        warm.append((time.perf_counter() - started) * 1000)
        live.apply(_claimed(best, turn + 2, rng))
    single = DECISIONS / (time.perf_counter() - began)
    return Figures(
        hosts=count, p50_ms=_cut(warm, 50), p99_ms=_cut(warm, 99), cold_p50_ms=_cut(cold, 50), cold_p99_ms=_cut(cold, 99),
        single_placements_per_s=round(single), placements_per_s=round(_bursts(live, rng)),
        durable_claims_per_s=round(_durable(min(count, 1000), rng)), load_s=round(load_s, 2),
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )  # fmt: skip


def _load(count: int, rng: random.Random) -> tuple[LiveFleet, float]:
    every = list(_uneven(count, rng))
    groups = {
        f"group-{i}": Group("anti-affinity", np.array([rng.randrange(count)], np.intp), np.array([1], np.int64))
        for i in range(_GROUPS)
    }
    began = time.perf_counter()
    live = LiveFleet(fleet_of(every, _now(), groups), profile_of(SchedulerSettings()))
    return live, time.perf_counter() - began


def _bursts(live: LiveFleet, rng: random.Random) -> float:
    took = 0.0
    for turn in range(BURSTS):
        requests = [_request(rng) for _ in range(BURST)]
        began = time.perf_counter()
        chosen = [live.decide(request, rng).candidates[0] for request in requests]
        for place, best in enumerate(chosen):
            live.apply(_claimed(best, 10_000 + turn * BURST + place, rng))
        _ = live.fleet  # what they claimed is folded in
        took += time.perf_counter() - began
    return BURST * BURSTS / took


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
                    wanted = hosts.Claim(server_id=str(uuid.uuid4()), vcpus=1, ram_mib=64, disk_gib=0)
                    hosts.claim(tx, rng.choice(made).host.id, wanted, _now())
        took = time.perf_counter() - began
        database.close()
    return groups * IN_ONE_CLAIM / took


def _timed(live: LiveFleet, request: SchedulingRequest, rng: random.Random) -> float:
    began = time.perf_counter()
    live.decide(request, rng)
    return (time.perf_counter() - began) * 1000


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


def _claimed(best: Candidate, generation: int, rng: random.Random) -> HostUse:
    return HostUse(
        host_id=best.host_id, generation=generation, vcpus_used=rng.randrange(200),
        ram_mib_used=rng.randrange(16384, 65536, 512), disk_gib_used=rng.randrange(500, 1500), servers=5,
    )  # fmt: skip


def _facts(rng: random.Random) -> HostFacts:
    return HostFacts(
        vcpus=rng.choice((16, 32, 64)), ram_mib=rng.choice((65536, 131072, 262144)), disk_gib=2000,
        hypervisor_type="KVM", hypervisor_version=8_002_000, accelerator="kvm", arch="x86_64",
        traits=(_TRAIT,) if rng.random() < 0.5 else (),
    )  # fmt: skip


def _uneven(count: int, rng: random.Random) -> Iterator[Host]:
    now = _now()
    for number in range(count):
        yield Host(
            id=f"id-{number}", service_id="", number=number, name=f"host-{number}", zone="nova", facts=_facts(rng),
            vcpus_used=rng.randrange(200), ram_mib_used=rng.randrange(0, 65536, 512),
            disk_gib_used=rng.randrange(1500), servers=4, cpu_ratio=16.0, ram_ratio=1.0, disk_ratio=1.0,
            ram_mib_reserved=512, disk_gib_reserved=10, generation=1, disabled=rng.random() < 0.01,
            disabled_reason=None, forced_down=False, boot_id="", started_at=now, seen_at=now, created_at=now,
            updated_at=None,
        )  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)
