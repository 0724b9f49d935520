"""Boots on simulated hosts: how many a second, how long each takes, and what they cost."""

from __future__ import annotations

from typing import Any

from benchmarks.load import Seen, boot_for
from benchmarks.section import Section, at_least, at_most, spread_ms
from benchmarks.simcloud import SimCloud

CLIENTS = 10
_RECORDED = (
    "SELECT (launched_at - created_at) / 1e6 FROM servers WHERE launched_at IS NOT NULL ORDER BY number DESC LIMIT ?"
)


def main(*, quick: bool = False) -> Section:
    """At once (pace 0): the control plane's own cost. Life-like: what a client of ordinary hosts sees under the same load."""
    seconds = 6.0 if quick else 25.0
    with SimCloud() as cloud:
        boot_for(cloud, clients=CLIENTS, seconds=1.0)  # the first ones compile statements, and are not counted
        alone = boot_for(cloud, clients=1, seconds=60.0, most=30 if quick else 100)
        alone_recorded = recorded(cloud, len(alone.to_active))
        cpu_before = cloud.cpu_s()
        seen = boot_for(cloud, clients=CLIENTS, seconds=seconds)
        cpu_ms = (cloud.cpu_s() - cpu_before) / len(seen.to_active) * 1000
        by_record = recorded(cloud, len(seen.to_active))
    with SimCloud(pace=1.0) as cloud:
        lifelike = boot_for(cloud, clients=CLIENTS, seconds=seconds / 2)
    active, rate = spread_ms(seen.to_active), len(seen.to_active) / seen.took_s
    own = spread_ms(alone_recorded)["p50"]
    return Section(
        what=f"Boots to ACTIVE on 20 simulated hosts, {CLIENTS} clients at once in 2 other processes on the same machine",
        how="POST /servers over kept connections, then GET it after 20 ms and ever less often until ACTIVE, then the next. "
        "SQLite, WAL, synchronous=NORMAL. CPU is the cloud's whole process, the clients' looking included.",
        figures=[
            at_least("boots_per_s", round(rate, 1), "1/s", 150),
            at_most("to_active_p95", active["p95"], "ms", 250),
            at_most("cpu_per_boot", round(cpu_ms, 2), "ms", 10),
            at_most("control_plane_share_of_one_boot", own, "ms", 100),
        ],
        detail={
            "at_once": _detail(seen) | {"created_to_launched_ms": spread_ms(by_record)},
            "one_client": _detail(alone) | {"created_to_launched_ms": spread_ms(alone_recorded)},
            "life_like": _detail(lifelike),
        },
    )


def recorded(cloud: SimCloud, newest: int) -> list[float]:
    """Seconds from the request's transaction to ACTIVE, of the newest servers."""
    records = cloud.records()
    try:
        return [float(row[0]) for row in records.execute(_RECORDED, (newest,))]
    finally:
        records.close()


def _detail(seen: Seen) -> dict[str, Any]:
    return {
        "boots": len(seen.to_active),
        "seconds": round(seen.took_s, 1),
        "boots_per_s": round(len(seen.to_active) / seen.took_s, 1),
        "to_active_ms": spread_ms(seen.to_active),
        "to_accepted_ms": spread_ms(seen.to_accepted),
        "looks_per_boot": round(seen.looks / len(seen.to_active), 2),
        "client_cpu_ms_per_boot": round(seen.cpu_s / len(seen.to_active) * 1000, 2),
        "failures": len(seen.failures),
        **({"first_failures": seen.failures[:3]} if seen.failures else {}),
    }
