"""Lanes: fair between projects, in order within one, bounded, each saga once."""

from __future__ import annotations

import threading

from kilonova.conductor.kernel.lanes import Lanes


def drain(lanes: Lanes) -> list[str]:
    taken = []
    while (name := lanes.take_now()) is not None:
        taken.append(name)
    return taken


def test_a_burst_of_one_project_delays_another_by_one_turn() -> None:
    lanes = Lanes()
    for i in range(100):
        lanes.put("busy", f"busy-{i}")
    lanes.put("quiet", "quiet-0")
    assert [lanes.take_now() for _ in range(2)] == ["busy-0", "quiet-0"]


def test_lanes_take_turns_and_keep_their_order() -> None:
    lanes = Lanes()
    for lane, names in {"a": "123", "b": "1", "c": "12"}.items():
        for name in names:
            lanes.put(lane, lane + name)
    assert drain(lanes) == ["a1", "b1", "c1", "a2", "c2", "a3"]
    assert len(lanes) == 0


def test_a_saga_waits_once_however_often_it_is_named() -> None:
    lanes = Lanes()
    assert lanes.put("a", "one")
    assert lanes.put("", "one")
    assert drain(lanes) == ["one"]
    assert lanes.put("a", "one")
    assert drain(lanes) == ["one"]


def test_a_full_lane_refuses_and_others_do_not() -> None:
    lanes = Lanes(lane_holds=2)
    assert [lanes.put("a", name) for name in "123"] == [True, True, False]
    assert lanes.put("b", "4")
    assert sorted(drain(lanes)) == ["1", "2", "4"]
    assert lanes.put("a", "3")


def test_closing_lets_everybody_go_who_waits() -> None:
    lanes = Lanes()
    taken: list[str | None] = []
    waiting = [threading.Thread(target=lambda: taken.append(lanes.take())) for _ in range(3)]
    for thread in waiting:
        thread.start()
    lanes.close()
    for thread in waiting:
        thread.join(10)
    assert taken == [None, None, None]
