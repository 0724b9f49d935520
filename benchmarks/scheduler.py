"""What scheduling costs, at several sizes of fleet. What is measured, and how, is told in `kilonova.scheduler.bench`."""

from __future__ import annotations

import msgspec

from benchmarks.section import Figure, Section, at_least, at_most
from kilonova.scheduler.bench import measure

SIZES = (1_000, 10_000, 100_000)
BUDGETED = 100_000


def main(*, quick: bool = False) -> Section:
    found = {size: msgspec.to_builtins(measure(size)) for size in (SIZES[:1] if quick else SIZES)}
    return Section(
        what="A scheduling decision, and claims made durable",
        how="all default filters and weighers, mixed flavors; see kilonova.scheduler.bench",
        figures=[] if quick else figures(found[BUDGETED]),
        detail={str(size): one for size, one in found.items()},
    )


def figures(at: dict[str, float]) -> list[Figure]:
    """Those that the design has budgets for."""
    return [
        at_most("decision, warm p99", at["p99_ms"], "ms", 1.0),
        at_most("decision, cold p99", at["cold_p99_ms"], "ms", 5.0),
        at_least("decisions in bursts", at["placements_per_s"], "1/s", 30_000.0),
        at_least("durable claims", at["durable_claims_per_s"], "1/s", 3000.0),
    ]
