from __future__ import annotations

import threading

import pytest

from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import Message, Ok, SagaReady, Uptime


def test_a_call_is_answered_by_who_serves_the_topic() -> None:
    bus = InProcessBus()
    stop = bus.serve("here", lambda _: Uptime(text="long"))
    assert bus.call("here", Ok()) == Uptime(text="long")
    stop()
    with pytest.raises(NoAnswer):
        bus.call("here", Ok())


def test_a_call_that_fails_or_has_no_answer_is_not_answered() -> None:
    bus = InProcessBus()

    def fail(_: Message) -> Message:
        raise ValueError("no")

    stop = bus.serve("broken", fail, workers=0)
    with pytest.raises(NoAnswer):
        bus.call("broken", Ok())
    stop()
    stop = bus.serve("mute", lambda _: None, workers=0)
    with pytest.raises(NoAnswer):
        bus.call("mute", Ok())
    stop()


def test_casts_are_handled_in_order_and_one_that_raises_does_not_stop_the_next() -> None:
    bus = InProcessBus()
    seen: list[str] = []
    last = threading.Event()

    def handle(message: Message) -> None:
        assert isinstance(message, SagaReady)
        if message.saga_id == "bad":
            raise ValueError("no")
        seen.append(message.saga_id)
        if message.saga_id == "last":
            last.set()

    stop = bus.serve("here", handle)
    for name in ("one", "bad", "two", "last"):
        bus.cast("here", SagaReady(saga_id=name))
    assert last.wait(5)
    stop()
    assert seen == ["one", "two", "last"]


def test_a_cast_to_nobody_is_lost_and_a_fanout_reaches_all() -> None:
    bus = InProcessBus()
    bus.cast("nowhere", Ok())
    bus.fanout("nowhere", Ok())
    seen: list[int] = []
    stops = [bus.serve("all", lambda _, i=i: seen.append(i), workers=0) for i in range(3)]  # type: ignore[misc]
    bus.fanout("all", Ok())
    assert seen == [0, 1, 2]
    for stop in stops:
        stop()


def test_what_was_cast_before_the_stop_is_handled() -> None:
    bus = InProcessBus()
    seen: list[str] = []
    stop = bus.serve("here", lambda message: seen.append(message.saga_id))  # type: ignore[attr-defined, func-returns-value]
    for i in range(100):
        bus.cast("here", SagaReady(saga_id=str(i)))
    stop()
    assert len(seen) == 100
