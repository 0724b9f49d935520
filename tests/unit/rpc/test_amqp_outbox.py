from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from kilonova.rpc.amqp import names
from kilonova.rpc.amqp.held import PAUSE_S
from kilonova.rpc.amqp.letter import Letter
from kilonova.rpc.amqp.outbox import Outbox
from kilonova.rpc.amqp.pace import Pace


def letter(name: str, told: list[tuple[str, bool]], until: float | None = None) -> Letter:
    return Letter(name, b"", {}, until=until, done=lambda is_kept: told.append((name, is_kept)))


def taken(outbox: Outbox, first: int, window: int = 10, now: float = 0.0) -> list[str]:
    found: list[str] = []
    while (one := outbox.take(first + len(found), window, now)) is not None:
        found.append(one.key)
    return found


def test_letters_go_in_their_order_and_no_more_than_the_window() -> None:
    told: list[tuple[str, bool]] = []
    outbox = Outbox(10)
    for name in "abc":
        outbox.put(letter(name, told))
    assert taken(outbox, 1, window=2) == ["a", "b"]
    outbox.confirm(1, multiple=False)
    assert taken(outbox, 3, window=2) == ["c"]
    outbox.confirm(3, multiple=True)
    assert told == [("a", True), ("b", True), ("c", True)]
    assert outbox.wait_empty(0)


def test_what_is_in_flight_goes_first_over_the_next_connection() -> None:
    outbox = Outbox(10)
    for name in "abc":
        outbox.put(letter(name, []))
    assert taken(outbox, 1, window=2) == ["a", "b"]
    outbox.rewind()
    assert taken(outbox, 1) == ["a", "b", "c"]


def about(key: str, subject: str, body: str) -> Letter:
    return Letter(key, body.encode(), {}, subject=subject)


def bodies(outbox: Outbox, first: int, now: float, window: int = 1000) -> list[str]:
    found: list[str] = []
    while (one := outbox.take(first + len(found), window, now)) is not None:
        found.append(one.body.decode())
    return found


def test_what_a_full_queue_refused_waits_and_nothing_else_does() -> None:
    outbox = Outbox(100)
    for name in "abc":
        outbox.put(letter(name, []))
    assert taken(outbox, 1, window=2) == ["a", "b"]
    outbox.refuse(1, multiple=False, now=0.0)
    outbox.put(letter("a", []))
    outbox.put(letter("d", []))
    assert taken(outbox, 3) == ["c", "d"]
    assert outbox.counts() == (2, 3)
    assert outbox.held_until() == PAUSE_S
    assert taken(outbox, 5, now=PAUSE_S) == ["a", "a"]
    assert outbox.counts() == (0, 5)


def test_where_there_is_room_again_what_waits_goes_at_once() -> None:
    outbox = Outbox(10_000)
    for number in range(200):
        outbox.put(about("full", "", str(number)))
    assert len(bodies(outbox, 1, 0.0)) == 200
    outbox.refuse(200, multiple=True, now=0.0)
    assert bodies(outbox, 201, 0.5) == []
    tried = bodies(outbox, 201, PAUSE_S)
    assert tried == [str(number) for number in range(50)]
    outbox.confirm(201, multiple=False)
    assert bodies(outbox, 251, PAUSE_S) == [str(number) for number in range(50, 100)]
    outbox.confirm(300, multiple=True)
    assert bodies(outbox, 301, PAUSE_S) == [str(number) for number in range(100, 150)]


def test_of_what_waits_the_newest_word_about_a_subject_is_kept_and_what_has_none_all() -> None:
    outbox = Outbox(100)
    for body in ("10%", "20%", "report"):
        outbox.put(about("full", "" if body == "report" else "progress x", body))
    assert len(bodies(outbox, 1, 0.0)) == 3
    outbox.refuse(3, multiple=True, now=0.0)
    for body in ("30%", "report", "40%"):
        outbox.put(about("full", "" if body == "report" else "progress x", body))
    assert bodies(outbox, 4, PAUSE_S) == ["report", "report", "40%"]


def test_what_waits_is_bounded_for_a_queue_and_for_all_and_what_is_lost_is_counted() -> None:
    outbox = Outbox(30)
    for key in "abc":
        for number in range(7):
            outbox.put(about(key, "", f"{key}{number}"))
    assert len(bodies(outbox, 1, 0.0)) == 21
    outbox.refuse(21, multiple=True, now=0.0)
    assert outbox.counts() == (9, 0)
    assert outbox.dropped == 12
    assert sorted(bodies(outbox, 22, PAUSE_S)) == [f"{key}{number}" for key in "abc" for number in (4, 5, 6)]


def test_what_cannot_wait_is_given_up_where_the_queue_is_full() -> None:
    told: list[bool] = []
    outbox = Outbox(10)
    outbox.put(Letter("call:x", b"", {}, is_patient=False, done=told.append))
    assert taken(outbox, 1) == ["call:x"]
    outbox.refuse(1, multiple=False, now=0.0)
    assert told == [False]
    assert outbox.counts() == (0, 0)


def test_a_full_box_drops_the_oldest_and_tells_whoever_asked() -> None:
    told: list[tuple[str, bool]] = []
    outbox = Outbox(2)
    for name in "abcd":
        outbox.put(letter(name, told))
    assert outbox.dropped == 2
    assert told == [("a", False), ("b", False)]
    assert taken(outbox, 1) == ["c", "d"]


def test_a_letter_that_is_worth_nothing_any_more_is_not_sent() -> None:
    told: list[tuple[str, bool]] = []
    outbox = Outbox(10)
    outbox.put(letter("late", told, until=5.0))
    outbox.put(letter("good", told, until=7.0))
    one = outbox.take(1, 10, now=6.0)
    assert one is not None
    assert one.key == "good"
    assert told == [("late", False)]


def test_what_the_broker_refuses_can_be_given_up() -> None:
    told: list[tuple[str, bool]] = []
    outbox = Outbox(10)
    outbox.put(letter("a", told))
    outbox.put(letter("b", told))
    taken(outbox, 1, window=1)
    assert [one.key for one in outbox.drop_in_flight()] == ["a"]
    assert told == [("a", False)]
    assert outbox.counts() == (1, 0)


@given(st.lists(st.sampled_from(["put", "take", "confirm", "refuse", "rewind"]), max_size=80))
def test_whatever_happens_each_letter_is_confirmed_once_or_still_there(steps: list[str]) -> None:
    outbox, told, number, made = Outbox(1000), [], 0, 0
    for step in steps:
        if step == "put":
            outbox.put(letter(str(made), told))
            made += 1
        elif step == "take":
            number += outbox.take(number + 1, 5, 0.0) is not None
        elif step == "rewind":
            outbox.rewind()
            number = 0
        elif number:
            outbox.confirm(number, multiple=True) if step == "confirm" else outbox.refuse(
                number, multiple=False, now=0.0
            )
    assert sum(outbox.counts()) + len(told) == made
    assert len({name for name, _ in told}) == len(told)


@given(st.integers(0, 10_000), st.integers())
def test_pauses_between_connections_are_bounded_and_never_nothing(failures: int, seed: int) -> None:
    pace = Pace()
    assert pace.reconnect_s / 4 <= pace.reconnect_after(failures, random.Random(seed)) <= pace.reconnect_most_s


def test_a_message_whose_handler_fails_has_a_minute_and_the_broker_gives_up_later() -> None:
    pace = Pace()
    pauses = [pace.retry_after(number) for number in range(1, pace.deliveries)]
    assert pauses[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert 60 <= sum(pauses) < 70
    assert pace.deliveries < names.POISON
