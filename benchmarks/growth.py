"""Whether boots and reads cost more in a cloud of very many servers than in one of a hundred."""

from __future__ import annotations

from typing import Any

from benchmarks.fill import NETWORK
from benchmarks.load import boot_for
from benchmarks.reads import populate, read
from benchmarks.section import Section, at_most
from benchmarks.simcloud import SimCloud

SIZES = (100, 10_000)
FLAT = 1.2
_CLIENTS = 10


def main(*, quick: bool = False) -> Section:
    """The same cloud, stopped and filled up between the measures."""
    found: dict[int, dict[str, float]] = {}
    with SimCloud(network=NETWORK) as cloud:
        before = 0
        for size in SIZES:
            server_id = populate(cloud, size - before, before)
            before = size
            found[size] = _measure(cloud, server_id, seconds=3.0 if quick else 8.0)
    first, last = found[SIZES[0]], found[SIZES[-1]]
    return Section(
        what=f"Boots and reads with {', '.join(f'{size:,}' for size in SIZES)} servers there",
        how="the records of one boot copied so many times, the cloud started, then measured as in `boots` (in cpu per boot, "
        "which other work on the machine disturbs less than the rate) and `reads`",
        figures=[
            at_most(f"{name}_{SIZES[-1]}_to_{SIZES[0]}", round(last[name] / first[name], 2), "ratio", FLAT)
            for name in ("cpu_ms_per_boot", "get_one_ms")
        ],
        detail={str(size): figures for size, figures in found.items()},
    )  # fmt: skip


def _measure(cloud: SimCloud, server_id: str, *, seconds: float) -> dict[str, Any]:
    boot_for(cloud, clients=_CLIENTS, seconds=1.0)
    before = cloud.cpu_s()
    seen = boot_for(cloud, clients=_CLIENTS, seconds=seconds)
    booted = len(seen.to_active)
    cpu_ms = (cloud.cpu_s() - before) / booted * 1000
    one, _ = read(cloud, server_id, rounds=15)
    return {
        "boots_per_s": round(booted / seen.took_s, 1),
        "cpu_ms_per_boot": round(cpu_ms, 2),
        "get_one_ms": one["p50"],
        "failures": len(seen.failures),
    }
