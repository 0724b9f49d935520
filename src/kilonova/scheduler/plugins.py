"""
Filters and weighers by name.

Each is an entry point: a name, and a class that knows how to be made from the settings. Ours are among them, so that another
package adds its own in the same way, in the groups `kilonova.scheduler.filters` and `kilonova.scheduler.weighers`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from kilonova.domain.errors import Rejected
from kilonova.scheduler.plugin import Filter, Weigher
from kilonova.scheduler.ranking import Profile
from kilonova.scheduler.settings import ALWAYS, SchedulerSettings

Plugin = TypeVar("Plugin", Filter, Weigher)


def profile_of(settings: SchedulerSettings) -> Profile:
    """The profile that settings ask for. Raises Rejected for a name that is unknown or given twice, and for a broken plugin."""
    filters = (*ALWAYS, *(name for name in settings.enabled_filters if name not in ALWAYS))
    weighers = _made("weighers", Weigher, settings.mixture, settings)  # type: ignore[type-abstract]
    return Profile(
        filters=_made("filters", Filter, filters, settings),  # type: ignore[type-abstract]
        weighers=tuple(zip(weighers, settings.mixture.values(), strict=True)),
        candidates=1 + settings.alternates,
        near_best=settings.near_best,
    )


def _made(group: str, kind: type[Plugin], names: Iterable[str], settings: SchedulerSettings) -> tuple[Plugin, ...]:
    offered = {point.name: point for point in entry_points(group=f"kilonova.scheduler.{group}")}
    made: dict[str, Plugin] = {}
    for name in names:
        if name in made:
            raise Rejected(f"{name} is named twice among the scheduler's {group}.", next_step="Name it once.")
        if name not in offered:
            raise Rejected(
                f"There is no {name} among the scheduler's {group}.",
                next_step=f"Choose from {', '.join(sorted(offered))}; or install the package that has it.",
            )
        made[name] = _make(offered[name], kind, settings)
    return tuple(made.values())


def _make(point: EntryPoint, kind: type[Plugin], settings: SchedulerSettings) -> Plugin:
    try:
        plugin = point.load()
    except Exception as error:  # whatever another's module raises when it is imported
        raise Rejected(
            f"{point.name} ({point.value}) cannot be loaded: {error}",
            next_step="Repair its package, or leave it out of the settings.",
        ) from error
    if not (isinstance(plugin, type) and issubclass(plugin, kind)):
        raise Rejected(
            f"{point.name} ({point.value}) is no {kind.__name__}.",
            next_step=f"Derive it from {kind.__module__}.{kind.__name__}.",
        )
    return plugin.made(settings)
