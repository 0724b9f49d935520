"""The page: one file, well formed, with every policy's course in every plot."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from kilonova.simulation.compare import compare
from kilonova.simulation.fleet import HostGroup, hosts_of
from kilonova.simulation.page import HEIGHT, WIDTH, render
from kilonova.simulation.policies import parse_policy
from kilonova.simulation.report import Report
from kilonova.simulation.trace import Arrival

VOID = {"meta", "br"}


class Reader(HTMLParser):
    """Collects what a test asks about, and checks that each end tag has its start."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def report() -> Report:
    hosts = hosts_of([HostGroup(count=2, vcpus=4, ram_mib=4096, disk_gib=100, cpu_ratio=1.0, ram_ratio=1.0)])
    flavors = ("<b>&small", "large")
    arrivals = [
        Arrival(at_s=at * 60.0, vcpus=1 + at % 2, ram_mib=512, disk_gib=1, lifetime_s=300.0, flavor=flavors[at % 2])
        for at in range(30)
    ]
    return compare(hosts, arrivals, [parse_policy("first-fit"), parse_policy("mine=RAMWeigher:1")], samples=10)


def test_it_is_one_well_formed_file_that_fetches_nothing(report: Report) -> None:
    text = render(report)
    page = Reader(text)
    assert page.open == []
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("img")
    assert re.findall(r"https?:|url\(|@import", text) == []
    assert "<b>&small" not in text
    assert "&lt;b&gt;&amp;small" in text


def test_every_plot_has_every_policys_series(report: Report) -> None:
    page = Reader(render(report))
    plots = page.all("svg")
    lines = page.all("polyline")
    assert len(plots) == 10
    assert [line["data-policy"] for line in lines] == ["first-fit", "mine"] * len(plots)
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in str(line["points"]).split()]
        assert len(points) == 10
        assert points == sorted(points, key=lambda point: point[0])
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)


def test_a_series_is_the_samples(report: Report) -> None:
    titles = [attributes["aria-label"] for attributes in Reader(render(report)).all("svg")]
    at = next(number for number, title in enumerate(titles) if str(title).startswith("Hosts in use"))
    line = Reader(render(report)).all("polyline")[2 * at]
    heights = [float(point.split(",")[1]) for point in str(line["points"]).split()]
    # Two hosts; the plot ends at four, the next number that its grid divides.
    expected = [HEIGHT * (1 - one.hosts_in_use / 4) for one in report.policies[0].samples]
    assert heights == pytest.approx(expected, abs=0.05)


def test_a_report_of_one_moment_is_drawn() -> None:
    hosts = hosts_of([HostGroup(vcpus=4, ram_mib=4096, disk_gib=0)])
    one = compare(hosts, [Arrival(at_s=5, vcpus=1, ram_mib=1, disk_gib=0)], [parse_policy("ours")])
    assert Reader(render(one)).open == []
