"""The language of extra specs."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.scheduler.filters.operators import matches


@pytest.mark.parametrize(
    ("value", "wanted", "holds"),
    [
        ("a b", "a b", True),
        (4, "4", True),
        ("4", "4.0", False),
        (None, "", False),
        ("", "", True),
        (8, "= 4", True),
        (4, "== 4.0", True),
        (4, "!= 4", False),
        (4, "<= 3", False),
        (3, ">=3", False),  # the operator is a word of its own
        ("x", ">= 3", False),
        (4, ">=", False),
        ("abc", "s== abc", True),
        ("abc", "s!= abc", False),
        ("abc", "s< abd", True),
        ("abc", "s>= abd", False),
        ("abc", "<in> bc", True),
        (["aes", "avx"], "<in> avx", True),
        (["aes", "avx"], "<all-in> avx sse", False),
        ("b", "<or> a <or> b", True),
        ("c", "<or> a <or> b", False),
        ("x", "<or>", False),
        ("x", "<all-in>", False),
    ],
)
def test_operators(value: Any, wanted: str, holds: bool) -> None:
    assert matches(value, wanted) is holds
