"""
Kill the cloud at every point of every saga, and let a storm blow over a fleet, with both drivers; a JSON summary on stdout,
exit 1 if anything was amiss. `python -m tests.chaos storm` is one storm alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from tests.chaos.bench import Bench, LibvirtBench, SimBench
from tests.chaos.points import SAGAS, Point, points
from tests.chaos.storm.command import FAULTS, storm, storm_on
from tests.chaos.trials import Tally, Trials

_SHARES = 2
BENCHES: dict[str, type[Bench]] = {"sim": SimBench, "libvirt": LibvirtBench}


def main() -> int:
    """Run it; the exit code."""
    if sys.argv[1:2] == ["storm"]:
        return storm(sys.argv[2:])
    options = _options()
    drivers = [options.driver] if options.driver else list(BENCHES)
    sagas = [options.saga] if options.saga else list(SAGAS)
    if "libvirt" in drivers and not _can_run_guests():
        return 1
    summary = {driver: run_driver(driver, sagas, options.only, options.seed) for driver in drivers}
    # One who picks points wants those alone.
    stormy = [] if options.saga or options.only else drivers
    storms = {driver: storm_on(driver, FAULTS[driver], options.seed) for driver in stormy}
    print(json.dumps(summary | {"storm": storms}, indent=2))
    figures = [one for by_saga in summary.values() for one in by_saga.values()]
    is_well = all(one["ended_as_expected"] == one["points"] and not one["orphans"] for one in figures)
    return 0 if is_well and not any(one["failures"] for one in (*figures, *storms.values())) else 1


def run_driver(driver: str, sagas: Sequence[str], only: str, seed: int) -> dict[str, dict[str, Any]]:
    """All points of these sagas, each saga's dealt out to `_SHARES` clouds, two at a time; the figures by saga."""
    began = time.monotonic()
    wanted = {saga: [point for point in points(saga, seed) if only in point.name] for saga in sagas}
    shares = [(saga, wanted[saga][i::_SHARES]) for saga in sagas for i in range(_SHARES)]
    with ThreadPoolExecutor(_SHARES) as pool:
        tallies = list(pool.map(lambda share: run_points(driver, *share), shares))
    _say(f"{driver}: all done in {time.monotonic() - began:.0f} s")
    return {
        saga: _figures(sum((tally for (of, _), tally in zip(shares, tallies, strict=True) if of == saga), Tally()))
        for saga in sagas
    }


def run_points(driver: str, saga: str, wanted: Sequence[Point]) -> Tally:
    """These points of one saga, on a cloud of their own."""
    if not wanted:
        return Tally()
    with BENCHES[driver]() as bench:
        trials = Trials(bench, saga)
        for point in wanted:
            began = time.monotonic()
            what = trials.run(point) or "ok"
            _say(f"{driver} {saga} {point.name}: {what} ({time.monotonic() - began:.1f} s)")
        remains = trials.finish()
        if remains:
            trials.tally.orphans += len(remains)
            trials.tally.failures.append(f"{saga}: left after the purge: {remains}")
            _say(f"{driver} {saga}: left after the purge: {remains}")
    return trials.tally


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--driver", choices=list(BENCHES))
    parser.add_argument("--saga", choices=SAGAS)
    parser.add_argument("--only", default="", metavar="TEXT", help="points with this in their name")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and faults that chance picks")
    return parser.parse_args()


def _figures(tally: Tally) -> dict[str, Any]:
    return asdict(tally) | {"slowest_recovery_s": round(tally.slowest_recovery_s, 2)}


def _can_run_guests() -> bool:
    if os.geteuid() != 0 or shutil.which("libvirtd") is None:
        _say("Real guests need root and libvirt (`make setup` installs it); without: make chaos ARGS='--driver sim'")
        return False
    return True


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
