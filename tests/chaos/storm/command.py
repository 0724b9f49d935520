"""`python -m tests.chaos storm`: let one storm blow; a JSON summary on stdout, exit 1 if anything was amiss afterwards."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from tests.chaos.storm.clouds import SimStorm, StormCloud
from tests.chaos.storm.lab import LabStorm
from tests.chaos.storm.run import Weather, run_storm

FAULTS = {"sim": 1000, "libvirt": 50}
_CLOUDS: dict[str, type[StormCloud]] = {"sim": SimStorm, "libvirt": LabStorm}
_EVERY_S = {"sim": 2.5, "libvirt": 6.0}
_STRIKES = 0.155  # of a simulated fleet's faults, those on processes, engines and hosts; the others are on messages
_RATE = {"sim": 0.25, "libvirt": 0.15}  # of messages that are struck


def storm(words: Sequence[str]) -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos storm", description=__doc__)
    parser.add_argument("--driver", choices=list(_CLOUDS), default="sim")
    parser.add_argument("--faults", type=int, help="how many; with sim those of messages count, too")
    parser.add_argument("--seed", type=int, default=1, help="the schedule follows from it")
    options = parser.parse_args(words)
    summary = storm_on(options.driver, options.faults or FAULTS[options.driver], options.seed)
    print(json.dumps(summary, indent=2))
    return 1 if summary["failures"] else 0


def storm_on(driver: str, faults: int, seed: int) -> dict[str, Any]:
    """A storm of so many faults; its summary."""
    strikes = math.ceil(faults * _STRIKES) if driver == "sim" else faults
    weather = Weather(seed=seed, faults=faults, strikes=strikes, every_s=_EVERY_S[driver])
    with _CLOUDS[driver](seed, _RATE[driver]) as cloud:
        return run_storm(cloud, weather, lambda text: print(f"storm {driver}: {text}", file=sys.stderr, flush=True))
