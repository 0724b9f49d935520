"""docs/simulation.md: its files and commands are run, and its figures are what comes out."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from kilonova.cli.main import cli
from kilonova.simulation.fleet import HostGroup
from kilonova.simulation.policies import BUILT_IN
from kilonova.simulation.report import PolicyReport, Report, Sample
from kilonova.simulation.trace import Arrival
from tests.facts import REPOSITORY

PAGE = (REPOSITORY / "docs" / "simulation.md").read_text()
FILES = re.findall(r"in `([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, flags=re.DOTALL)
RUNS = re.findall(r"```console\n\$ kilonova (simulate [^\n]*)\n(.*?)```", PAGE, flags=re.DOTALL)


def test_the_example_gives_what_the_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [name for name, _ in FILES] == ["fleet.toml", "flavors.csv"]
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    assert len(RUNS) == 2
    for command, told in RUNS:
        done = CliRunner().invoke(cli, shlex.split(command))
        assert done.exit_code == 0, done.output
        assert [line.split()[0] for line in done.stdout.splitlines()] == [line.split()[0] for line in told.splitlines()]
        for line, expected in zip(done.stdout.splitlines()[1:], told.splitlines()[1:], strict=True):
            # Not the times; and hosts that are equally good are drawn, so another drawing gives slightly other figures.
            found, figures = ([float(cell) for cell in row.split()[1:-2]] for row in (line, expected))
            assert found == pytest.approx(figures, rel=0.1, abs=0.02), line
    assert "polyline" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize("kind", [Arrival, HostGroup, Report, PolicyReport, Sample])
def test_every_column_and_figure_is_explained(kind: type[msgspec.Struct]) -> None:
    missing = [name for name in kind.__struct_fields__ if f"`{name}`" not in PAGE]
    assert missing == []


def test_every_policy_is_explained() -> None:
    assert [name for name in BUILT_IN if f"`{name}`" not in PAGE] == []
