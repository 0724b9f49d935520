"""How long the command takes to say its version: a person waits for that before anything else."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.section import Section, at_most

_COMMAND = Path(sys.executable).with_name("kilonova")


def main(*, quick: bool = False) -> Section:
    """Each run is a new process, its files warm in the page cache; the first, which may compile, is not counted."""
    taken = [_seconds("--version") for _ in range(4 if quick else 12)][1:]
    helped = [_seconds("--help") for _ in range(3 if quick else 6)][1:]
    return Section(
        what="`kilonova --version`, from the shell to its end",
        how=f"a new process each; the median of {len(taken)}, files warm",
        figures=[at_most("version", round(statistics.median(taken) * 1000, 1), "ms", 200)],
        detail={
            "version_fastest_ms": round(min(taken) * 1000, 1),
            "help_ms": round(statistics.median(helped) * 1000, 1),
        },
    )


def _seconds(argument: str) -> float:
    began = time.perf_counter()
    subprocess.run([_COMMAND, argument], check=True, capture_output=True)
    return time.perf_counter() - began
