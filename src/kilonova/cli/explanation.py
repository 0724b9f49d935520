"""A placement as tables for people: what each filter removed and why, the best hosts by weigher, the winner, the nearest miss."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilonova.cli.talk import harmless, harmless_values

Document = Mapping[str, Any]
_WIDTH = 160  # where nobody's terminal says otherwise


def print_placement(title: str, placement: Document) -> None:
    """All of a server's decisions, or where several would go and the last decision on them."""
    title, placement = harmless(title), harmless_values(placement)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False, markup=False)
    console.print(Text(title, style="bold"))
    console.print(placement["message"], soft_wrap=True)
    if len(placement.get("hosts") or ()) > 1:
        console.print(Padding(_spread(placement["hosts"]), (1, 0, 0, 2), expand=False))
    asked = "hosts" in placement
    decisions: Sequence[Document] = placement["decisions"][-1:] if asked else placement["decisions"]
    for decision in decisions:
        console.print()
        console.print(Text(heading(decision), style="cyan"))
        for part in _parts(decision):
            console.print(Padding(part, (0, 0, 0, 2), expand=False))


def heading(decision: Document) -> str:
    """Which decision it is, and on how many hosts."""
    asked = f"{decision['hosts']} asked, {decision['left']} could take it"
    if "action" in decision:
        return f"{decision['action'].capitalize()}, attempt {decision['number']}, {decision['decided_at']}: {asked}"
    return f"Server {decision['number']}: {asked}"


def outcome(decision: Document) -> list[tuple[str, str]]:
    """How a decision ended, line by line, each with its name."""
    lines: list[tuple[str, str]] = []
    if (winner := decision["winner"]) is not None:
        lines.append(("Winner", f"{_named(winner)}, zone {winner['zone']}, score {winner['score']:.2f}"))
    lines += [("Passed over", f"{_named(one)}: {one['why']}") for one in decision["passed_over"]]
    if (miss := decision["nearest_miss"]) is not None:
        lines.append(("Nearest miss", f"{_named(miss)} lacks {miss['lacks']}"))
    if (setback := decision["setback"]) is not None:
        lines.append((f"Then {setback['step']} failed", setback["message"]))
    return lines


def _parts(decision: Document) -> list[RenderableType]:
    parts: list[RenderableType] = [_filters(decision["filters"])]
    if decision["best"]:
        parts.append(_best(decision["best"]))
    ended = Table.grid(padding=(0, 2))
    for name, text in outcome(decision):
        ended.add_row(Text(name, style="bold"), Text(text))
    return [*parts, ended]


def _filters(filters: Sequence[Document]) -> Table:
    table = _table("FILTER", "HOSTS", "REMOVED", "WHY", right=("HOSTS", "REMOVED"))
    for one in filters:
        style = "yellow" if one["removed"] else "dim"
        table.add_row(one["name"], str(one["hosts"]), str(one["removed"]), one["reason"] or "", style=style)
    return table


def _best(best: Sequence[Document]) -> Table:
    weighers = sorted({name for one in best for name in one["weighers"]})
    table = _table("BEST", "ZONE", "SCORE", *weighers, right=("SCORE", *weighers))
    for place, one in enumerate(best, start=1):
        parts = (f"{one['weighers'].get(name, 0.0):+.2f}" for name in weighers)
        table.add_row(f"{place}. {_named(one)}", one["zone"], f"{one['score']:.2f}", *parts)
    return table


def _spread(hosts: Sequence[Document]) -> Table:
    """How many servers would go where."""
    table = _table("HOST", "ZONE", "SERVERS", right=("SERVERS",))
    for (host, zone), count in Counter((_named(one), one["zone"]) for one in hosts).most_common():
        table.add_row(host, zone, str(count))
    return table


def _table(*columns: str, right: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for name in columns:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return table


def _named(thing: Document) -> str:
    """A host by name; without one where we may not know it."""
    return str(thing.get("host") or "a host")
