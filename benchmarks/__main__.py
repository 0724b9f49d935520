"""Runs the benchmarks named, or all of them, and prints one JSON document."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from typing import Any

import msgspec

from benchmarks.section import machine

NAMES = ("cli_start", "up", "boots", "reads", "growth", "images", "rim", "scheduler", "bus")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="shorter and rougher")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    document: dict[str, Any] = {"machine": machine(), "quick": asked.quick}
    for name in asked.names or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        began = time.perf_counter()
        try:
            found = msgspec.to_builtins(importlib.import_module(f"benchmarks.{name}").main(quick=asked.quick))
        except Exception as error:  # noqa: BLE001 - one that cannot be measured must not cost the figures of the others
            found = {"failed": repr(error)}
        document[name] = found | {"took_s": round(time.perf_counter() - began, 1)}
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


if __name__ == "__main__":
    main()
