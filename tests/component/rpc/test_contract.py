"""What the port promises, on both transports."""

from __future__ import annotations

import threading

import pytest

from kilonova.rpc.bus import Bus, NoAnswer
from kilonova.rpc.messages import Message, Ok, Uptime
from tests.component.rpc.seen import WAIT_S, Seen, ready
from tests.waiting import wait_until


def test_a_cast_reaches_who_serves_the_topic(bus: Bus) -> None:
    seen = Seen()
    bus.serve("here", seen, workers=2)
    names = [str(number) for number in range(50)]
    for name in names:
        bus.cast("here", ready(name))
    seen.wait(*names)
    assert set(seen.counts().values()) == {1}


def test_a_message_arrives_as_it_was_sent(bus: Bus) -> None:
    seen = Seen()
    bus.serve("here", seen)
    bus.cast("here", Ok(request_id="req-1"))
    seen.wait_count(1)
    assert seen.messages == [Ok(request_id="req-1")]


def test_a_call_is_answered(bus: Bus) -> None:
    bus.serve("here", lambda message: Uptime(text=message.request_id))
    assert bus.call("here", Ok(request_id="a")) == Uptime(text="a")
    assert bus.call("here", Ok(request_id="b")) == Uptime(text="b")


def test_many_call_at_once_and_each_has_its_own_answer(bus: Bus) -> None:
    bus.serve("here", lambda message: Uptime(text=message.request_id), workers=2)
    answers: dict[str, Message] = {}

    def ask(name: str) -> None:
        answers[name] = bus.call("here", Ok(request_id=name))

    threads = [threading.Thread(target=ask, args=(str(number),)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {str(number): Uptime(text=str(number)) for number in range(20)}


def test_a_call_to_nobody_is_over_at_once(bus: Bus) -> None:
    with pytest.raises(NoAnswer, match="nobody serves nowhere"):  # and not that it did not answer in time
        bus.call("nowhere", Ok(), timeout_s=WAIT_S)


def test_a_call_to_who_has_stopped_is_over_at_once(bus: Bus) -> None:
    stop = bus.serve("here", lambda _: Ok())
    bus.call("here", Ok())
    stop()
    with pytest.raises(NoAnswer, match="nobody serves here"):
        bus.call("here", Ok(), timeout_s=WAIT_S)


def test_a_call_that_fails_or_has_no_answer_says_so_at_once(bus: Bus) -> None:
    def fail(_: Message) -> Message:
        raise ValueError("no")

    bus.serve("broken", fail)
    bus.serve("mute", lambda _: None)
    with pytest.raises(NoAnswer, match="broken failed on Ok"):
        bus.call("broken", Ok(), timeout_s=WAIT_S)
    with pytest.raises(NoAnswer, match="mute has no answer to Ok"):
        bus.call("mute", Ok(), timeout_s=WAIT_S)


def test_a_handler_that_fails_does_not_stop_the_next_message(bus: Bus) -> None:
    seen = Seen(fails=lambda message: message == ready("bad"))
    bus.serve("here", seen)
    for name in ("one", "bad", "two"):
        bus.cast("here", ready(name))
    seen.wait("one", "bad", "two")


def test_a_fanout_reaches_everybody_on_the_topic_and_nobody_else(bus: Bus) -> None:
    first, second, other = Seen(), Seen(), Seen()
    bus.serve("here", first)
    bus.serve("here", second)
    bus.serve("there", other)
    bus.fanout("here", ready("a"))
    first.wait("a")
    second.wait("a")
    bus.cast("there", ready("b"))
    other.wait("b")
    assert other.counts() == {"b": 1}


def test_who_follows_a_subject_hears_of_it_until_it_follows_others(bus: Bus) -> None:
    here, there = Seen(), Seen()
    bus.serve("here", here)
    bus.serve("there", there)
    bus.follow("here", ["red", "blue"])
    bus.follow("there", ["red"])

    def tell(subject: str, word: str, *who: Seen) -> None:
        """Until they have heard it: following takes effect soon, and a fan-out that nobody hears is gone."""

        def heard() -> bool:
            bus.fanout(subject, ready(word))
            return all(word in seen.counts() for seen in who)

        wait_until(heard, f"{word} is heard")

    tell("red", "to both", here, there)
    tell("blue", "to one", here)
    bus.follow("here", ["blue", "green"])
    tell("green", "of green", here)  # what came before it has been carried out
    bus.fanout("red", ready("not here"))
    tell("red", "there alone", there)
    tell("blue", "still", here)
    assert not {"not here", "there alone"} & here.counts().keys()
    assert not {"to one", "of green", "still"} & there.counts().keys()


def test_what_is_sent_to_nobody_does_no_harm(bus: Bus) -> None:
    bus.cast("nowhere", Ok())
    bus.fanout("nowhere", Ok())
    bus.serve("here", lambda _: Ok())
    assert bus.call("here", Ok()) == Ok()


def test_a_handler_may_cast_and_call(bus: Bus) -> None:
    seen = Seen()
    bus.serve("end", seen)
    bus.serve("clock", lambda _: Uptime(text="long"))

    def pass_on(message: Message) -> Message:
        assert bus.call("clock", Ok()) == Uptime(text="long")
        bus.cast("end", message)
        return Ok()

    bus.serve("start", pass_on)
    bus.cast("start", ready("a"))
    seen.wait("a")


def test_stopping_waits_for_the_handler_in_work(bus: Bus) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def slow(_: Message) -> Message:
        begun.set()
        assert go_on.wait(WAIT_S)
        done.set()
        return Ok()

    stop = bus.serve("here", slow)
    bus.cast("here", Ok())
    assert begun.wait(WAIT_S)
    stopping = threading.Thread(target=stop)
    stopping.start()
    go_on.set()
    stopping.join(WAIT_S)
    assert not stopping.is_alive()
    assert done.is_set()


def test_stopping_twice_and_closing_after_it_is_nothing_new(bus: Bus) -> None:
    stop = bus.serve("here", Seen())
    stop()
    stop()
    bus.close()
    stop()
