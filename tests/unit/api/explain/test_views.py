"""A placement as it is shown: its words for every outcome, and no name for those who may not see names."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from kilonova.api.explain.views import Showing
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.placement import (
    Candidate,
    Choice,
    Explanation,
    FilterStep,
    NearestMiss,
    PassedOver,
    Setback,
    told,
)
from kilonova.store.queries.placements import Attempt

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
REQUEST = SchedulingRequest(
    server_id="server", project_id="project", vcpus=1, ram_mib=512, disk_gib=1, flavor_name="m1.tiny", forced_host="host-1"
)  # fmt: skip
BEST = Candidate(
    host_id="id", host="host-1", node="host-1", zone="nova", generation=1, score=1.23456, parts={"RAMWeigher": 1.2346}
)
FOUND = Choice(
    explanation=Explanation(hosts=2, steps=(FilterStep(name="ComputeFilter", before=2, removed=0),), best=(BEST,)),
    host="host-1", zone="nova", score=1.23456, passed_over=(PassedOver(host="host-2", why="it had no room left"),),
)  # fmt: skip
NOWHERE = Choice(
    explanation=Explanation(
        hosts=2, steps=(FilterStep(name="ComputeFilter", before=2, removed=2, reason="2 disabled"),),
        nearest_miss=NearestMiss(host="host-2", lacks="a compute service that is enabled"),
    )
)  # fmt: skip


def attempt(number: int, choice: Choice, failed: str | None = None, *, saga: str = "saga") -> Attempt:
    setback = None if failed is None else Setback(step="spawn", message=failed)
    return Attempt(saga_id=saga, kind="boot", number=number, at=AT, request=REQUEST, choice=choice, setback=setback)


def wire(view: object) -> str:
    return msgspec.json.encode(view).decode()


def test_names_are_for_those_who_may_see_them() -> None:
    attempts = [attempt(1, FOUND, "no space"), attempt(2, NOWHERE)]
    assert wire(Showing(with_names=True).kept("server", attempts)).count('"host":"host-') == 5
    for view in (
        Showing(with_names=False).kept("server", attempts),
        Showing(with_names=False).asked(REQUEST, [FOUND, NOWHERE], 2),
    ):
        assert "host-" not in wire(view)
        assert '"host"' not in wire(view)


def test_the_message_is_that_of_the_decision_that_stands() -> None:
    view = Showing(with_names=True).kept("server", [attempt(1, FOUND, "no space"), attempt(2, FOUND)])
    assert (view.found, view.message) == (True, FOUND.explanation.sentence())
    assert [one.action for one in view.decisions] == ["create", "create"]
    assert view.decisions[0].setback is not None
    assert (view.decisions[0].setback.step, view.decisions[0].setback.message) == ("spawn", "no space")


def test_the_message_of_a_failure_is_the_faults() -> None:
    view = Showing(with_names=True).kept("server", [attempt(1, FOUND, "no space"), attempt(2, NOWHERE)])
    assert (view.found, view.message) == (False, told(["no space", NOWHERE.explanation.sentence()]))
    assert view.decisions[1].winner is None
    of_another = Showing(with_names=True).kept(
        "server", [attempt(1, FOUND, "no space", saga="old"), attempt(1, NOWHERE)]
    )
    assert of_another.message == NOWHERE.explanation.sentence()


def test_a_server_whose_place_was_never_decided_on() -> None:
    view = Showing(with_names=True).kept("server", [])
    assert (view.found, view.request, view.decisions) == (False, None, [])
    assert view.message.startswith("No decision on its place is kept")


def test_of_a_server_whose_decisions_were_purged_it_is_shown_what_it_asked_for() -> None:
    view = Showing(with_names=True).kept("server", [], REQUEST)
    assert view.decisions == []
    assert view.request == Showing(with_names=True).asked(REQUEST, [FOUND], 1).request


def test_a_question_is_answered_for_as_many_as_were_meant() -> None:
    showing = Showing(with_names=True)
    assert showing.asked(REQUEST, [FOUND, FOUND], 2).found
    some = showing.asked(REQUEST, [FOUND, NOWHERE], 3)
    assert (some.found, some.message) == (False, NOWHERE.explanation.sentence())
    assert [(one.zone, one.score, one.host) for one in some.hosts or ()] == [("nova", 1.2346, "host-1")]
