"""`kilonova bench`: figures that programs can read."""

from __future__ import annotations

import json

from click.testing import CliRunner

from kilonova.cli.main import cli


def test_the_scheduler_is_measured_with_its_records() -> None:
    done = CliRunner().invoke(cli, ["bench", "scheduler", "--hosts", "1000", "--json"])
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["hosts"] == 1000
    for name in (
        "p50_ms",
        "p99_ms",
        "cold_p99_ms",
        "numpy_pass_ms",
        "placements_per_s",
        "durable_claims_per_s",
        "load_s",
    ):
        assert figures[name] > 0, name


def test_several_sizes_are_a_row_each() -> None:
    done = CliRunner().invoke(
        cli, ["bench", "scheduler", "--hosts", "1000", "--hosts", "1500", "--no-records", "--json"]
    )
    assert [(row["hosts"], row["load_s"]) for row in json.loads(done.stdout)] == [(1000, None), (1500, None)]
