"""Runs worlds and prints a summary as JSON; the exit code is 1 if a property broke in any of them."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import msgspec

from tests.dst.world import Verdict, World, simulating

_SHARE = 25  # seeds that a process takes at a time
_SHOWN = 20  # failures; more of them are rarely more than one bug


def live(seeds: Iterable[int]) -> list[Verdict]:
    """The verdicts of these worlds."""
    with simulating():
        return [World(seed).run() for seed in seeds]


def summary(verdicts: list[Verdict], took_s: float) -> dict[str, Any]:
    """What there is to say of many worlds."""
    faults: Counter[str] = Counter()
    for verdict in verdicts:
        faults.update(verdict.faults)
    failed = [verdict for verdict in verdicts if verdict.failure]
    return {
        "worlds": len(verdicts),
        "took_s": round(took_s, 1),
        "worlds_per_minute": round(len(verdicts) / took_s * 60),
        "simulated_hours": round(sum(verdict.simulated_s for verdict in verdicts) / 3600, 1),
        "events": sum(verdict.steps for verdict in verdicts),
        "servers": sum(verdict.servers for verdict in verdicts),
        "faults": sum(faults.values()),
        "faults_by_kind": dict(sorted(faults.items())),
        "failed": len(failed),
        "failures": [{"seed": verdict.seed, "failure": verdict.failure} for verdict in failed[:_SHOWN]],
    }


def replay(seed: int, *, steps: bool) -> Verdict:
    """One world again, with its history and the product's log on stderr if asked for."""
    trace: list[str] | None = [] if steps else None
    with simulating(log=steps):
        verdict = World(seed, trace=trace).run()
    for line in trace or ():
        print(line, file=sys.stderr)
    return verdict


def many(first: int, count: int, jobs: int) -> dict[str, Any]:
    """`count` worlds from seed `first` on, in so many processes."""
    began, verdicts = time.perf_counter(), list[Verdict]()
    shares = [range(at, min(at + _SHARE, first + count)) for at in range(first, first + count, _SHARE)]
    with ProcessPoolExecutor(jobs) as pool:
        for done in pool.map(live, shares):
            verdicts.extend(done)
            for verdict in done:
                if verdict.failure:
                    print(f"seed {verdict.seed}: {verdict.failure}", file=sys.stderr)
            print(f"{len(verdicts)} of {count} worlds", file=sys.stderr, flush=True)
    return summary(verdicts, time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.dst", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, metavar="N", help="how many worlds")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the seed of the first of them")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="in so many processes")
    parser.add_argument("--seed", type=int, metavar="SEED", help="replay this one world alone")
    parser.add_argument("--steps", action="store_true", help="with --seed: its history, and the product's log")
    asked = parser.parse_args()
    if asked.seed is not None:
        verdict = replay(asked.seed, steps=asked.steps)
        found, failed = msgspec.to_builtins(verdict), bool(verdict.failure)
    else:
        found = many(asked.first, asked.seeds, asked.jobs)
        failed = found["failed"] > 0
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
