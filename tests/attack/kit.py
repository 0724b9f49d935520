"""What an attack is, how it is run and what is said of it."""

from __future__ import annotations

import importlib
import pkgutil
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import httpx2

from tests.attack.target import Target

POSITIONS = (
    "stranger",
    "tenant",
    "reader",
    "host",
    "local_user",
    "log_reader",
)  # who reads logs comes last: all is in them
Body = Callable[[Target], None]


class Fell(AssertionError):
    """The cloud did what it must not do. The text says what was seen."""


@dataclass(frozen=True)
class Attack:
    """One thing that somebody tries. `body` raises if the cloud does not hold; its docstring says what is tried."""

    position: str
    name: str
    body: Body

    @property
    def what(self) -> str:
        """What is tried, in one line."""
        return " ".join((self.body.__doc__ or "").split())


@dataclass(frozen=True)
class Outcome:
    """How an attack ended. `seen` says why the cloud fell, or why the attack could not be made."""

    position: str
    name: str
    what: str
    held: bool
    seen: str
    took_s: float


_attacks: list[Attack] = []


def attack(body: Body) -> Body:
    """Registers an attack; its position is the module it stands in."""
    _attacks.append(Attack(body.__module__.rpartition(".")[2], body.__name__, body))
    return body


def all_attacks() -> list[Attack]:
    """Every attack there is, position by position."""
    package = importlib.import_module("tests.attack.positions")
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    return sorted(_attacks, key=lambda one: POSITIONS.index(one.position))


def must(held: object, seen: str) -> None:
    """Raises Fell."""
    if not held:
        raise Fell(seen)


def run(attacks: Iterable[Attack], target: Target, tell: Callable[[str], None]) -> list[Outcome]:
    """Each in turn, and after each a look whether the cloud still serves."""
    return [_run(one, target, tell) for one in attacks]


def _run(one: Attack, target: Target, tell: Callable[[str], None]) -> Outcome:
    began = time.monotonic()
    try:
        one.body(target)
        target.must_serve()
        seen = ""
    except Fell as fell:
        seen = str(fell)
    except httpx2.TransportError as silent:
        seen = f"somebody was not answered: {silent!r}"
    except Exception:  # noqa: BLE001 - an attack that breaks has shown nothing, which is not "held"
        seen = f"the attack itself broke: {traceback.format_exc(limit=-3)}"
    outcome = Outcome(one.position, one.name, one.what, not seen, seen, round(time.monotonic() - began, 2))
    tell(f"{'held' if outcome.held else 'FELL'}  {one.position}: {one.name} ({outcome.took_s} s) {seen}".rstrip())
    return outcome


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    """The figures, and all that was tried."""
    return {
        "tried": len(outcomes),
        "held": sum(one.held for one in outcomes),
        "fell": [one.name for one in outcomes if not one.held],
        "attacks": [asdict(one) for one in outcomes],
    }
