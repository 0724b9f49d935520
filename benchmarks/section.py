"""What a benchmark hands back, and what is said of the machine it ran on."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec


class Figure(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One number beside its budget; `met` is None where there is none."""

    name: str
    measured: float
    unit: str
    budget: float | None = None
    met: bool | None = None


def at_most(name: str, measured: float, unit: str, budget: float | None = None) -> Figure:
    return Figure(
        name=name, measured=measured, unit=unit, budget=budget, met=None if budget is None else measured <= budget
    )


def at_least(name: str, measured: float, unit: str, budget: float) -> Figure:
    return Figure(name=name, measured=measured, unit=unit, budget=budget, met=measured >= budget)


class Section(msgspec.Struct, kw_only=True, omit_defaults=True):
    """`what` was measured and `how`; `figures` have budgets, `detail` has the rest."""

    what: str
    how: str
    figures: list[Figure] = []
    detail: dict[str, Any] = {}


def machine() -> dict[str, Any]:
    """The machine, and how busy it was before."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "load_before": [round(value, 2) for value in os.getloadavg()],
    }


def spread_ms(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the longest of some times, in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return {name: round(value * 1000, 2) for name, value in found.items()}
