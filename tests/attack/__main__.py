"""
Attack a simulated cloud from every position that can be taken on one machine; a JSON summary on stdout, exit 1 if it fell.

The cloud is a process of its own in a folder of its own, on loopback; every attack is bounded in number and time. `--short` tries
the same with as little as shows it.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.attack.kit import all_attacks, run, summary
from tests.attack.target import Target


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(prog="make attack", description=__doc__)
    parser.add_argument("--short", action="store_true", help="as little as shows it")
    parser.add_argument("--only", default="", metavar="TEXT", help="attacks with this in their name or position")
    options = parser.parse_args()
    wanted = [one for one in all_attacks() if options.only in f"{one.position} {one.name}"]
    with Target(is_short=options.short) as target:
        outcomes = run(wanted, target, lambda text: print(text, file=sys.stderr, flush=True))
    print(json.dumps(summary(outcomes), indent=2))
    return 0 if outcomes and all(one.held for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
