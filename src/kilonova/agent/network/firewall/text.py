"""nft's own syntax: elements, sets, maps, chains. A set without elements and a chain without rules are written too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def block(head: str, lines: Iterable[str]) -> list[str]:
    """A braced block, its lines indented."""
    return [f"{head} {{", *(f"  {line}" for line in lines), "}"]


def chain(name: str, rules: Iterable[str], hook: str | None = None) -> list[str]:
    """A chain; `hook`: type, hook and priority of one that the kernel calls. What no rule judges passes."""
    base = [f"type {hook}; policy accept;"] if hook else []
    return block(f"chain {name}", [*base, *rules])


def named_set(name: str, of: str, elements: Iterable[str]) -> list[str]:
    """A set; `of`: its type or typeof declaration."""
    return block(f"set {name}", [of, *_elements(elements)])


def verdict_map(name: str, of: str, verdicts: Mapping[str, str]) -> list[str]:
    """A map from keys to verdicts."""
    return block(
        f"map {name}", [f"{of} : verdict", *_elements(f"{key} : {verdict}" for key, verdict in verdicts.items())]
    )


def quoted(name: str) -> str:
    """A device's name."""
    return f'"{name}"'


def _elements(elements: Iterable[str]) -> list[str]:
    listed = sorted(set(elements))
    return [f"elements = {{ {', '.join(listed)} }}"] if listed else []
