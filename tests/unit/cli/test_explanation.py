"""Explanations as people read them."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.cli.explanation import heading, outcome, print_placement

FILTERS = [
    {"name": "ComputeFilter", "hosts": 5, "removed": 2, "reason": "2 disabled"},
    {"name": "ResourceFilter", "hosts": 3, "removed": 0, "reason": None},
]
BEST = [
    {"host": "h1", "zone": "nova", "score": 1.5, "weighers": {"RAMWeigher": 1.0, "CPUWeigher": 0.5}},
    {"host": "h2", "zone": "az1", "score": -0.25, "weighers": {"IoOpsWeigher": -0.25}},
]


def decision(**given: Any) -> dict[str, Any]:
    base = {
        "number": 2, "action": "create", "decided_at": "2026-03-04T05:06:07Z", "message": "m", "hosts": 5, "left": 3,
        "filters": FILTERS, "best": BEST, "nearest_miss": None, "passed_over": [], "setback": None,
        "winner": {"host": "h1", "zone": "nova", "score": 1.5},
    }  # fmt: skip
    return base | given


def placement(*decisions: Any, **given: Any) -> dict[str, Any]:
    return {"message": "A host was found.", "decisions": list(decisions)} | given


def test_a_decision_is_told_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_placement("web is ACTIVE", placement(decision()))
    out = capsys.readouterr().out
    assert [" ".join(line.split()) for line in out.splitlines() if line.strip(" ─")] == [
        "web is ACTIVE",
        "A host was found.",
        "Create, attempt 2, 2026-03-04T05:06:07Z: 5 asked, 3 could take it",
        "FILTER HOSTS REMOVED WHY",
        "ComputeFilter 5 2 2 disabled",
        "ResourceFilter 3 0",
        "BEST ZONE SCORE CPUWeigher IoOpsWeigher RAMWeigher",
        "1. h1 nova 1.50 +0.50 +0.00 +1.00",
        "2. h2 az1 -0.25 +0.00 -0.25 +0.00",
        "Winner h1, zone nova, score 1.50",
    ]


def test_what_is_in_brackets_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    reason = "[red]not red[/red]"
    print_placement(reason, placement(decision(filters=[FILTERS[0] | {"reason": reason}]), message=reason))
    assert capsys.readouterr().out.count(reason) == 3


def test_where_several_would_go_is_counted_and_the_last_decision_told(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [{name: value for name, value in decision(number=n).items() if name != "action"} for n in (1, 2, 3)]
    hosts = [{"zone": "nova", "score": 1.0, "host": name} for name in ("h1", "h2", "h1")]
    print_placement("3 of 3", placement(*asked, hosts=hosts))
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines() if line.strip().endswith((" 2", " 1")) and "h" in line][:2] == [
        ["h1", "nova", "2"], ["h2", "nova", "1"],
    ]  # fmt: skip
    assert "Server 3: 5 asked" in out
    assert "Server 1" not in out


def test_how_a_decision_ended() -> None:
    ended = decision(
        winner={"zone": "nova", "score": 0.0}, passed_over=[{"host": "h3", "why": "it had no room left"}],
        setback={"step": "spawn", "message": "no space"},
    )  # fmt: skip
    assert outcome(ended) == [
        ("Winner", "a host, zone nova, score 0.00"),
        ("Passed over", "h3: it had no room left"),
        ("Then spawn failed", "no space"),
    ]
    missed = decision(winner=None, nearest_miss={"host": "h9", "lacks": "1 GiB disk"})
    assert outcome(missed) == [("Nearest miss", "h9 lacks 1 GiB disk")]
    assert heading(missed).startswith("Create, attempt 2")
