"""The benchmarks are no tests; but what cannot be imported measures nothing."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.__main__ import NAMES
from tests.facts import REPOSITORY

MODULES = sorted(path.stem for path in (REPOSITORY / "benchmarks").glob("[!_]*.py"))


@pytest.mark.parametrize("name", MODULES)
def test_it_can_be_imported(name: str) -> None:
    assert import_module(f"benchmarks.{name}").__doc__


def test_those_that_run_by_name_are_there() -> None:
    assert set(NAMES) <= set(MODULES)
