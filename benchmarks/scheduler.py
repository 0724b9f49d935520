"""
What scheduling costs: `python benchmarks/scheduler.py [HOSTS...]` prints JSON, a line's worth for each size of fleet.

What is measured, and how, is told in `kilonova.scheduler.bench`.
"""

from __future__ import annotations

import sys

import msgspec

from kilonova.scheduler.bench import measure

SIZES = (1_000, 10_000, 100_000, 1_000_000)


def main() -> None:
    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    figures = {str(size): measure(size) for size in sizes}
    print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())


if __name__ == "__main__":
    main()
