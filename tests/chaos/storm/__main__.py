"""Let storms blow; a JSON summary on stdout, exit 1 if anything was amiss afterwards."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from tests.chaos.storm.clouds import SimStorm
from tests.chaos.storm.run import Weather, run_storm

_STRIKES_IN = (
    6  # one fault in so many is on a process, an engine or a host of a simulated fleet; the others are on messages
)


def main(words: Sequence[str]) -> int:
    """Run it; the exit code."""
    options = _options(words)
    summary = run_driver(options.driver, options.seed, options.faults)
    print(json.dumps(summary, indent=2))
    return 1 if summary["failures"] else 0


def run_driver(driver: str, seed: int, faults: int) -> dict[str, Any]:
    """A storm of so many faults."""
    weather = Weather(seed=seed, faults=faults, strikes=-(-faults // _STRIKES_IN), every_s=2.5, rate=0.1)
    with SimStorm() as cloud:
        return run_storm(cloud, weather, _say)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos storm", description=__doc__)
    parser.add_argument("--driver", choices=["sim", "libvirt"], default="sim")
    parser.add_argument("--faults", type=int, default=1000, help="how many in all, those of messages included")
    parser.add_argument("--seed", type=int, default=1, help="the schedule follows from it")
    return parser.parse_args(words)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
