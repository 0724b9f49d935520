"""What the storm's verdict is of a server, in every case: it must find what it is there to find."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.chaos.storm.load import Record
from tests.chaos.storm.verdict import Verdict, judge, unexplained


def server(name: str, status: str = "ACTIVE", task: str | None = None, fault: str = "") -> dict[str, Any]:
    shown = {"id": f"id-{name}", "name": name, "status": status, "OS-EXT-STS:task_state": task}
    return shown | {"OS-EXT-SRV-ATTR:host": "host-1"} | ({"fault": {"message": fault}} if fault else {})


def verdict(*servers: dict[str, Any], accepted: str = "a", deleted: str = "", maybe_deleted: str = "") -> Verdict:
    """Names are letters."""
    ids = {name: f"id-{name}" for name in accepted}
    return judge(Record(ids, set(), set(deleted), set(maybe_deleted), Counter()), servers)


def test_one_that_runs() -> None:
    assert verdict(server("a")) == Verdict(active=1)


def test_one_that_failed_and_says_why() -> None:
    assert verdict(server("a", "ERROR", fault="no room")) == Verdict(errors=Counter({"no room": 1}))


def test_one_that_failed_and_does_not_say_why() -> None:
    assert len(verdict(server("a", "ERROR")).unsettled) == 1


def test_one_that_is_being_built_or_does_something() -> None:
    assert len(verdict(server("a", "BUILD", "spawning")).unsettled) == 1
    assert len(verdict(server("a", "ACTIVE", "deleting")).unsettled) == 1


def test_one_that_was_deleted() -> None:
    assert verdict(deleted="a") == Verdict(deleted=1)


def test_one_that_was_deleted_and_is_there() -> None:
    assert len(verdict(server("a"), deleted="a").unsettled) == 1


def test_one_whose_deletion_was_not_answered_may_be_there_or_not() -> None:
    assert verdict(maybe_deleted="a") == Verdict(deleted=1)
    assert verdict(server("a"), maybe_deleted="a") == Verdict(active=1)


def test_one_that_is_gone_and_was_never_deleted() -> None:
    assert len(verdict().lost) == 1


def test_one_whose_boot_was_not_answered_is_held_to_the_same() -> None:
    assert verdict(server("b"), accepted="") == Verdict(active=1)
    assert len(verdict(server("b", "BUILD"), accepted="").unsettled) == 1


def test_a_failure_that_no_storm_explains_is_told() -> None:
    struck = "No valid host was found. 2 hosts asked; ComputeFilter removed 2 of 2: 2 down."
    cut_off = "Host sim-1 stopped answering."
    assert unexplained(verdict(server("a", "ERROR", fault=struck))) == []
    assert unexplained(verdict(server("a", "ERROR", fault=cut_off))) == []
    for message in (
        "No valid host was found. 2 hosts asked; ResourceFilter removed 2 of 2: full.",
        "An internal error",
        "no",
    ):
        assert unexplained(verdict(server("a", "ERROR", fault=message))) == [f"1 in ERROR for {message!r}"]
