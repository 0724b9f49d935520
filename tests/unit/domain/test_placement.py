"""The words of an explanation: they are read by tenants, operators and programs, so they are held to the letter."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.domain.placement import Candidate, Explanation, FilterStep, NearestMiss, told

DISABLED = FilterStep(name="ComputeFilter", before=5, removed=2, reason="2 disabled")
FULL = FilterStep(name="ResourceFilter", before=3, removed=3, reason="needs 9 GiB disk, the most free is 4")
NOTHING = FilterStep(name="TraitsFilter", before=3, removed=0)


def candidate(number: int, score: float, **parts: float) -> Candidate:
    name = f"host-{number}"
    return Candidate(host_id=f"id-{number}", host=name, node=name, zone="nova", generation=7, score=score, parts=parts)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"hosts": 5, "steps": (DISABLED, NOTHING, FULL), "nearest_miss": NearestMiss(host="h", lacks="5 GiB disk")},
            (
                "No valid host was found. 5 hosts asked; ComputeFilter removed 2 of 5: 2 disabled; ResourceFilter removed "
                "3 of 3: needs 9 GiB disk, the most free is 4. The host that came closest lacks 5 GiB disk."
            ),
        ),
        ({"hosts": 0, "steps": ()}, "No valid host was found. 0 hosts asked; there are no hosts."),
        (
            {"hosts": 1, "steps": (NOTHING,), "best": (candidate(1, 0.0),)},
            "A host was found. 1 host asked; no filter removed any. 1 could take it. The first choice scored 0.00.",
        ),
        (
            {"hosts": 5, "steps": (DISABLED,), "best": (candidate(1, 1.5, RAM=0.5, CPU=-1.0, Disk=2.0, PCI=0.25),)},
            (
                "A host was found. 5 hosts asked; ComputeFilter removed 2 of 5: 2 disabled. 3 could take it. "
                "The first choice scored 1.50 (Disk +2.00, CPU -1.00, RAM +0.50)."
            ),
        ),
    ],
)
def test_an_explanation_in_sentences(given: dict[str, Any], said: str) -> None:
    explanation = Explanation(**given)
    assert explanation.sentence() == said
    assert "host-" not in said
    assert explanation.for_keeping().sentence() == said


def test_operators_are_told_which_host_came_closest() -> None:
    missed = Explanation(hosts=1, steps=(FULL,), nearest_miss=NearestMiss(host="host-9", lacks="5 GiB disk"))
    assert missed.details() == "Nearest miss: host-9."
    assert Explanation(hosts=0, steps=()).details() == ""


def test_what_is_kept_are_the_best_few_and_what_told_between_them() -> None:
    best = tuple(candidate(n, 3.0, RAM=1 / 3, CPU=0.0, Disk=-2.0) for n in range(5))
    kept = Explanation(hosts=5, steps=(DISABLED, NOTHING), best=best).for_keeping()
    assert [one.host for one in kept.best] == ["host-0", "host-1", "host-2"]
    assert list(kept.best[0].parts.items()) == [("Disk", -2.0), ("RAM", 0.3333)]
    assert (kept.hosts, kept.left, kept.steps) == (5, 3, (DISABLED, NOTHING))


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (["No space."], "No space."),
        (["No space.", "No luck"], "No luck Attempt 1 failed: No space."),
        (["a", "b.", "No valid host was found."], "No valid host was found. Attempt 1 failed: a. Attempt 2 failed: b."),
    ],
)
def test_a_fault_tells_the_last_reason_and_then_those_before(reasons: list[str], said: str) -> None:
    assert told(reasons) == said
