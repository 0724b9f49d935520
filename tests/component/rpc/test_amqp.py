"""What RabbitMQ adds: durability, redelivery, dead letters, a gate, accounts."""

from __future__ import annotations

import threading

import pytest
from kombu.connection import Connection

from kilonova.domain.errors import Conflict, Missing
from kilonova.rpc.amqp.deadletters import DeadLetters
from kilonova.rpc.amqp.names import EXCHANGE, POISON
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import Heartbeat, Message, Ok, Uptime
from tests.brokers import Broker
from tests.component.rpc.conftest import QUICK, MakeAmqp
from tests.component.rpc.seen import WAIT_S, Seen, ready
from tests.waiting import wait_until


def test_casts_wait_for_a_topic_that_was_served_once(amqp: MakeAmqp) -> None:
    sender, first, second = amqp(), amqp(), Seen()
    first.serve("here", Seen())
    first.close()
    sender.cast("here", ready("a"))
    amqp().serve("here", second)
    second.wait("a")


def test_two_processes_share_a_topic_and_each_message_is_handled_once(amqp: MakeAmqp) -> None:
    one, two = Seen(), Seen()
    amqp().serve("here", one)
    amqp().serve("here", two)
    sender = amqp()
    names = [str(number) for number in range(200)]
    for name in names:
        sender.cast("here", ready(name))
    wait_until(lambda: len(one.messages) + len(two.messages) >= 200, "all messages handled")
    assert sum((one.counts(), two.counts()), start=type(one.counts())()) == dict.fromkeys(names, 1)
    assert one.messages
    assert two.messages


def test_a_handler_that_fails_has_the_message_again_and_then_it_is_done(amqp: MakeAmqp, vhost: str) -> None:
    seen = Seen(fails=lambda _: len(seen.messages) < 3)
    bus = amqp()
    bus.serve("here", seen)
    bus.cast("here", ready("a"))
    seen.wait_count(3)
    bus.close()
    assert seen.counts() == {"a": 3}
    assert DeadLetters(vhost).every() == []


def test_a_message_that_fails_always_is_a_dead_letter_and_holds_up_nobody(amqp: MakeAmqp, vhost: str) -> None:
    seen = Seen(fails=lambda message: message == ready("bad"))
    bus = amqp()
    bus.serve("here", seen)
    for name in ("bad", "good"):
        bus.cast("here", ready(name))
    seen.wait("good")
    [letter] = wait_until(DeadLetters(vhost).every, "a dead letter")
    assert seen.counts() == {"bad": QUICK.deliveries, "good": 1}
    assert (letter.type, letter.kind, letter.topic, letter.sender) == ("SagaReady", "cast", "here", "guest")
    assert letter.why == "its handler failed 6 times, at last with ValueError: this handler fails"
    assert '"saga_id":"bad"' in letter.body


def test_a_dead_letter_can_be_replayed(amqp: MakeAmqp, vhost: str) -> None:
    is_broken = True
    seen = Seen(fails=lambda _: is_broken)
    bus = amqp()
    bus.serve("here", seen)
    bus.cast("here", ready("a"))
    letters = DeadLetters(vhost)
    [letter] = wait_until(letters.every, "a dead letter")
    assert letters.get(letter.id[:8]) == letter
    is_broken = False
    assert letters.replay([letter.id]) == [letter]
    seen.wait_count(QUICK.deliveries + 1)
    assert letters.every() == []


def test_a_dead_letter_can_be_dropped_and_one_that_is_not_there_is_not_found(amqp: MakeAmqp, vhost: str) -> None:
    bus = amqp()
    bus.serve("here", Seen(fails=lambda _: True))
    bus.cast("here", ready("a"))
    letters = DeadLetters(vhost)
    [letter] = wait_until(letters.every, "a dead letter")
    with pytest.raises(Missing):
        letters.drop(["nothing"])
    assert letters.every() == [letter]
    assert letters.drop() == [letter]
    assert letters.every() == []


def test_what_cannot_be_read_is_a_dead_letter_and_stops_nobody(amqp: MakeAmqp, vhost: str, rabbitmq: Broker) -> None:
    seen = Seen()
    bus = amqp()
    bus.serve("here", seen)
    publish(rabbitmq, vhost, "cast:here", '{"type": "FromTheFuture"}')
    bus.cast("here", ready("a"))
    seen.wait("a")
    [letter] = wait_until(DeadLetters(vhost).every, "a dead letter")
    assert letter.why.startswith("it could not be read: Invalid value 'FromTheFuture'")
    assert letter.body == '{"type": "FromTheFuture"}'


def test_a_message_that_ends_whoever_takes_it_is_given_up_by_the_broker(amqp: MakeAmqp, vhost: str) -> None:
    first = amqp()
    first.serve("here", Seen())
    first.close()
    sender = amqp()
    sender.cast("here", ready("poison"))  # once nobody is there to take it
    sender.close()
    with Connection(vhost) as connection:
        for _ in range(POISON + 1):
            with (
                connection.channel() as channel
            ):  # a process that ends in the handler: its channel closes, unacknowledged
                wait_until(lambda: channel.basic_get("cast:here"), "the message again")
        [letter] = wait_until(DeadLetters(vhost).every, "a dead letter")
    assert letter.why == "the broker gave it up: delivery_limit"
    assert (letter.type, letter.kind, letter.topic, letter.sender) == ("SagaReady", "cast", "here", "guest")
    assert letter.died_at.startswith("20")
    seen = Seen()
    amqp().serve("here", seen)
    assert DeadLetters(vhost).replay() == [letter]
    seen.wait("poison")


def test_the_gate_is_asked_with_who_the_broker_says_it_was(amqp: MakeAmqp, vhost: str) -> None:
    asked: list[tuple[str, Message]] = []

    def gate(sender: str, message: Message) -> bool:
        asked.append((sender, message))
        return message != ready("bad")

    seen = Seen()
    bus = amqp(gate=gate)
    bus.serve("here", seen)
    for name in ("bad", "good"):
        bus.cast("here", ready(name))
    seen.wait("good")
    assert seen.counts() == {"good": 1}
    assert sorted(asked, key=repr) == sorted([("guest", ready("bad")), ("guest", ready("good"))], key=repr)
    [letter] = wait_until(DeadLetters(vhost).every, "a dead letter")
    assert letter.why == "its sender may not say this: guest"


def test_a_call_that_the_gate_refuses_is_not_answered_and_kept(amqp: MakeAmqp, vhost: str) -> None:
    bus = amqp(gate=lambda sender, message: False)
    bus.serve("here", lambda _: Uptime(text="secret"))
    with pytest.raises(NoAnswer, match="refused"):
        bus.call("here", Ok(), timeout_s=WAIT_S)
    letters = DeadLetters(vhost)
    [letter] = wait_until(letters.every, "a dead letter")
    with pytest.raises(Conflict, match="Only casts"):
        letters.replay([letter.id])
    assert letters.every() == [letter]


def test_a_gate_that_fails_has_the_message_again(amqp: MakeAmqp) -> None:
    asked: list[str] = []

    def gate(sender: str, message: Message) -> bool:
        asked.append(sender)
        if len(asked) == 1:
            raise OSError("the database is away")
        return True

    seen = Seen()
    bus = amqp(gate=gate)
    bus.serve("here", seen)
    bus.cast("here", ready("a"))
    seen.wait("a")


def test_a_message_that_comes_to_its_term_unread_is_no_dead_letter(
    amqp: MakeAmqp, vhost: str, rabbitmq: Broker
) -> None:
    first = amqp()
    first.serve("here", Seen())
    first.close()
    publish(rabbitmq, vhost, "cast:here", "stale", {"expiration": "1"})
    seen = Seen()
    amqp().cast("here", ready("a"))
    amqp().serve("here", seen)
    seen.wait("a")
    assert len(seen.messages) == 1
    assert DeadLetters(vhost).every() == []


def test_a_heartbeat_expires_and_a_report_like_message_does_not(amqp: MakeAmqp, vhost: str, rabbitmq: Broker) -> None:
    first = amqp()
    first.serve("here", Seen())
    first.close()
    sender = amqp()
    sender.cast("here", Heartbeat(hosts=("a",)))
    sender.cast("here", Ok())
    sender.close()
    path = f"queues/{vhost.rpartition('/')[2]}/cast:here/get"
    got = rabbitmq.api("POST", path, {"count": 2, "ackmode": "ack_requeue_true", "encoding": "auto"})
    found = {one["properties"]["type"]: one["properties"].get("expiration") for one in got}
    assert found == {"Heartbeat": "30000", "Ok": None}


def test_closing_finishes_what_is_in_work_and_hands_back_the_rest(amqp: MakeAmqp) -> None:
    begun, go_on, handled = threading.Event(), threading.Event(), []

    def slow(message: Message) -> Message:
        begun.set()
        assert go_on.wait(WAIT_S)
        handled.append(message)
        return Ok()

    leaving, sender, other = amqp(), amqp(), Seen()
    leaving.serve("here", slow)
    names = [str(number) for number in range(6)]
    for name in names:
        sender.cast("here", ready(name))
    assert begun.wait(WAIT_S)
    [service] = leaving._services
    closing = threading.Thread(target=leaving.close)
    closing.start()
    amqp().serve("here", other)
    wait_until(lambda: service._is_stopping, "it begins nothing more")
    go_on.set()
    closing.join(WAIT_S)
    assert not closing.is_alive()
    assert len(handled) == 1
    other.wait(*(set(names) - {handled[0].saga_id}))
    assert handled[0].saga_id not in other.counts()


def test_closing_sends_what_waits_to_be_sent(amqp: MakeAmqp) -> None:
    seen = Seen()
    amqp().serve("here", seen)
    sender = amqp()
    names = [str(number) for number in range(300)]
    for name in names:
        sender.cast("here", ready(name))
    sender.close()
    assert sender.state() == (False, 0, 0, 0, 0, 0)
    seen.wait(*names)


def test_a_busy_process_holds_no_more_than_its_prefetch_and_others_have_the_rest(amqp: MakeAmqp) -> None:
    go_on, other = threading.Event(), Seen()
    bus, sender = amqp(), amqp()
    bus.serve("here", lambda _: Ok() if go_on.wait(WAIT_S) else None)
    for number in range(50):
        sender.cast("here", ready(str(number)))
    amqp().serve("here", other)
    other.wait_count(50 - QUICK.prefetch)
    go_on.set()


def publish(rabbitmq: Broker, vhost: str, key: str, body: str, properties: dict[str, str] | None = None) -> None:
    """Something that no bus of ours would send."""
    said = {"properties": properties or {}, "routing_key": key, "payload": body, "payload_encoding": "string"}
    assert rabbitmq.api("POST", f"exchanges/{vhost.rpartition('/')[2]}/{EXCHANGE}/publish", said)["routed"]
