"""A report as one HTML page with its plots drawn in it: nothing is fetched, and no script runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, StrictUndefined

from kilonova.simulation.report import PolicyReport, Report, Sample

WIDTH, HEIGHT = 520, 220  # of a plot's area, in its own units
_HOURS = 3600.0
_GRID = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One policy's course: the points of an SVG polyline, and the last value in words."""

    policy: str
    points: str
    last: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure over time, a line for each policy; `grid` has the height of each line across, and its label."""

    title: str
    about: str
    lines: tuple[Line, ...]
    grid: tuple[tuple[float, str], ...]
    hours: str


def render(report: Report) -> str:
    """The page, as text."""
    template = files("kilonova.simulation").joinpath("page.html.jinja").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = _percent
    return environment.from_string(template).render(
        report=report, plots=_plots(report), width=WIDTH, height=HEIGHT, hours=f"{report.span_s / _HOURS:,.1f}"
    )


def _plots(report: Report) -> list[Plot]:
    largest = report.flavors[0].name
    shares: list[tuple[str, str, Callable[[Sample], float]]] = [
        ("vCPUs used", "of the fleet", lambda one: one.used["vcpus"]),
        ("RAM used", "of the fleet", lambda one: one.used["ram"]),
        ("Disk used", "of the fleet", lambda one: one.used["disk"]),
        ("Density", "vCPUs used of the hosts in use", lambda one: one.density["vcpus"]),
        ("RAM density", "RAM used of the hosts in use", lambda one: one.density["ram"]),
        ("Fragmentation", f"free capacity lost to flavor {largest}", lambda one: one.fragmentation[largest]),
        ("Imbalance", "standard deviation of vCPUs used over hosts", lambda one: one.imbalance["vcpus"]),
        ("RAM imbalance", "standard deviation of RAM used over hosts", lambda one: one.imbalance["ram"]),
    ]
    plots = [_plot(report, title, about, value, _percent) for title, about, value in shares]
    plots.append(_plot(report, "Hosts in use", f"of {report.hosts:,}", lambda one: one.hosts_in_use, _whole))
    plots.append(_plot(report, "Failed placements", "so far", lambda one: one.failed, _whole))
    return plots


def _plot(
    report: Report, title: str, about: str, value: Callable[[Sample], float], label: Callable[[float], str]
) -> Plot:
    top = max((value(one) for policy in report.policies for one in policy.samples), default=0.0) or 1.0
    if label is _whole:
        top = -(-top // _GRID) * _GRID  # so that each line of the grid is a whole number
    lines = tuple(_line(policy, value, top, report.span_s, label) for policy in report.policies)
    steps = [number / _GRID for number in range(_GRID + 1)]
    grid = tuple((round(HEIGHT * (1 - step), 1), label(top * step)) for step in steps)
    return Plot(title, about, lines, grid, f"{report.span_s / _HOURS:,.0f} h")


def _line(
    policy: PolicyReport, value: Callable[[Sample], float], top: float, span_s: float, label: Callable[[float], str]
) -> Line:
    points = " ".join(_point(one, value(one) / top, span_s) for one in policy.samples)
    return Line(policy.policy, points, label(value(policy.samples[-1])))


def _point(one: Sample, height: float, span_s: float) -> str:
    return f"{WIDTH * (one.at_s / span_s if span_s else 1.0):.1f},{HEIGHT * (1 - height):.1f}"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _whole(value: float) -> str:
    return f"{value:,.0f}"
