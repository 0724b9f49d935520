"""What a host that was taken over tries with its own account: to write letters as ours, and to command another by the broker."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from amqp.exceptions import AccessRefused
from kombu import Connection

from kilonova.domain.errors import Conflict
from kilonova.domain.host_access import host_of
from kilonova.rpc.amqp import AmqpBus, wire
from kilonova.rpc.amqp.deadletters import DeadLetter, DeadLetters
from kilonova.rpc.amqp.names import DEAD_EXCHANGE, DEAD_LETTERS, EXCHANGE, FROM_HOSTS, cast_key
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import Heartbeat, Message, Ok, SagaReady
from kilonova.rpc.rabbitmq_accounts import RabbitAccounts
from tests.brokers import ACCOUNT, Broker
from tests.component.rpc.conftest import QUICK, MakeAmqp
from tests.component.rpc.seen import Seen, ready
from tests.waiting import wait_until

A, B = "a", "b"
OURS = SagaReady(saga_id="as-if-it-were-ours")
LIES = {
    "sender": ACCOUNT,
    "kind": "cast",
    "topic": "conductor",
    "why": "none",
    "buried": "yes",
    "on-behalf-of": ACCOUNT,
}
LIES_OF_DEATH = {
    **LIES,
    "x-death": [{"queue": "cast:conductor", "reason": "rejected", "exchange": EXCHANGE, "count": 1}],
}


PLACES = (
    (EXCHANGE, "dead"), (EXCHANGE, "cast:conductor"), (DEAD_EXCHANGE, ""), ("", DEAD_LETTERS), ("", cast_key(f"agent.{A}"))
)  # fmt: skip


@dataclass
class Plane:
    """A control plane that takes heartbeats from hosts and anything from itself, and two hosts' URLs."""

    url: str
    bus: AmqpBus
    heard: queue.Queue[Message]
    asked: list[str]
    hosts: dict[str, str]
    letters: DeadLetters

    def letter(self) -> DeadLetter:
        [found] = wait_until(self.letters.every, "a dead letter")
        return found


@pytest.fixture
def plane(rabbitmq: Broker, vhost: str, amqp: MakeAmqp) -> Iterator[Plane]:
    heard: queue.Queue[Message] = queue.Queue()
    asked: list[str] = []

    def gate(sender: str, message: Message) -> bool:
        asked.append(sender)
        return host_of(sender) is None or isinstance(message, Heartbeat)

    bus = amqp(gate=gate)
    bus.serve("conductor", heard.put)
    accounts = RabbitAccounts(rabbitmq.management_url.replace("://", "://guest:guest@"), vhost)
    yield Plane(vhost, bus, heard, asked, {name: accounts.create(name) for name in (A, B)}, DeadLetters(vhost))
    for name in accounts.hosts():
        accounts.remove(name)
    accounts.close()


def publish(
    url: str,
    exchange: str,
    key: str,
    *,
    user: str | None = None,
    headers: dict[str, Any] | None = None,
    body: bytes = b"",
) -> None:
    with Connection(url, connect_timeout=10) as connection:
        channel = connection.channel()
        channel.confirm_select()
        said = {"message_id": "m", "type": "SagaReady"} | ({} if user is None else {"user_id": user})
        message = channel.prepare_message(body or wire.encode(OURS), headers=headers or {}, properties=said)
        channel.basic_publish_confirm(message, exchange=exchange, routing_key=key)


@pytest.mark.parametrize(("exchange", "key"), PLACES)
def test_a_host_cannot_write_to_the_dead_letters(plane: Plane, exchange: str, key: str) -> None:
    for headers in (LIES, LIES_OF_DEATH):
        with pytest.raises(AccessRefused):
            publish(plane.hosts[A], exchange, key, headers=headers)
    assert plane.letters.every() == []


@pytest.mark.parametrize("to", [EXCHANGE, DEAD_EXCHANGE, "", "amq.topic"])
def test_a_host_cannot_have_the_broker_write_for_it(plane: Plane, to: str) -> None:
    own = (f"reply:host.{A}:ff", f"fanout:host.{A}:ff", f"call:agent.{A}", cast_key(f"agent.{A}"))
    for name in own:
        with Connection(plane.hosts[A], connect_timeout=10) as connection:
            channel = connection.channel()
            channel.queue_delete(name)
            arguments = {"x-dead-letter-exchange": to, "x-dead-letter-routing-key": "dead", "x-message-ttl": 0}
            with pytest.raises(AccessRefused):
                channel.queue_declare(name, auto_delete=False, arguments=arguments)


@pytest.mark.parametrize("key", [cast_key(f"agent.{B}"), "cast:scheduler", "fanout:scheduler", "dead"])
def test_what_a_hosts_queue_dead_letters_goes_nowhere_else_than_it_may_speak(
    plane: Plane, amqp: MakeAmqp, key: str
) -> None:
    other, scheduler = Seen(), Seen()
    amqp(plane.hosts[B]).serve(f"agent.{B}", other)
    plane.bus.serve("scheduler", scheduler)
    name = f"reply:host.{A}:ff"
    with Connection(plane.hosts[A], connect_timeout=10) as connection:
        channel = connection.channel()
        arguments = {"x-dead-letter-exchange": FROM_HOSTS, "x-dead-letter-routing-key": key, "x-message-ttl": 0}
        channel.queue_declare(name, auto_delete=False, arguments=arguments)
        channel.queue_bind(name, EXCHANGE, name)
    # It has no way to put anything into that queue itself; the control plane has, when it answers.
    with pytest.raises(AccessRefused):
        publish(plane.hosts[A], EXCHANGE, name)
    publish(plane.url, EXCHANGE, name, user=ACCOUNT)
    plane.bus.cast(f"agent.{B}", ready("after"))
    plane.bus.cast("scheduler", ready("after"))
    other.wait("after")
    scheduler.wait("after")
    assert [other.counts(), scheduler.counts()] == [{"after": 1}, {"after": 1}]
    assert plane.letters.every() == []


def test_a_host_takes_no_word_but_the_control_planes(
    plane: Plane, amqp: MakeAmqp, vhost: str, rabbitmq: Broker
) -> None:
    """Whatever way it came: here an account that was given too much."""
    heard = Seen()
    amqp(plane.hosts[B]).serve(f"agent.{B}", heard)
    rabbitmq.grant(f"host.{A}", vhost.rpartition("/")[2])
    for keys in (EXCHANGE, FROM_HOSTS):
        where = f"topic-permissions/{vhost.rpartition('/')[2]}/host.{A}"
        rabbitmq.api("PUT", where, {"exchange": keys, "write": ".*", "read": ".*"})
    for user in (None, f"host.{A}"):
        publish(plane.hosts[A], EXCHANGE, cast_key(f"agent.{B}"), user=user, headers=LIES)
    plane.bus.cast(f"agent.{B}", ready("ours"))
    heard.wait("ours")
    assert heard.messages == [ready("ours")]
    found = wait_until(lambda: len(all_ := plane.letters.every()) == 2 and all_, "both refused")
    assert {(one.sender, one.topic, one.kind) for one in found} == {
        ("", f"agent.{B}", "cast"), (f"host.{A}", f"agent.{B}", "cast")
    }  # fmt: skip


def test_a_message_without_a_sender_is_forged_and_never_replayed(plane: Plane) -> None:
    publish(plane.hosts[A], FROM_HOSTS, "cast:conductor", headers=LIES)
    letter = plane.letter()
    assert (letter.sender, letter.kind, letter.topic) == ("", "cast", "conductor")
    assert "forged" in letter.why
    with pytest.raises(Conflict, match="vouches for no sender"):
        plane.letters.replay([letter.id])
    assert plane.letters.replay() == []
    assert plane.letters.every() == [letter]
    assert plane.heard.empty()


def test_a_replayed_letter_is_from_whom_it_was_first_whatever_its_headers_say(plane: Plane) -> None:
    publish(plane.hosts[A], FROM_HOSTS, "cast:conductor", user=f"host.{A}", headers=LIES)
    for _ in range(2):
        letter = plane.letter()
        assert letter.sender == f"host.{A}"
        plane.asked.clear()
        plane.letters.replay([letter.id])
        wait_until(lambda: f"host.{A}" in plane.asked, "the gate is asked")
    assert plane.letter().sender == f"host.{A}"
    assert plane.heard.empty()


def test_the_broker_may_give_up_a_replayed_letter_and_it_is_still_the_hosts(plane: Plane, amqp: MakeAmqp) -> None:
    publish(plane.hosts[A], FROM_HOSTS, "cast:conductor", user=f"host.{A}", headers=LIES)
    letter = plane.letter()
    plane.bus.close()  # nobody serves the topic: the letter waits, and then its reader gives it up
    plane.letters.replay([letter.id])
    with Connection(plane.url) as connection:
        channel = connection.channel()
        raw: Any = wait_until(lambda: channel.basic_get("cast:conductor"), "it waits")
        channel.basic_reject(raw.delivery_tag, False)
    assert plane.letter().sender == f"host.{A}"


@pytest.mark.parametrize("headers", [LIES, LIES_OF_DEATH])
@pytest.mark.parametrize("user", [None, "host.a"])
def test_a_letter_that_an_earlier_release_let_a_host_write_is_not_believed(
    plane: Plane, rabbitmq: Broker, vhost: str, user: str | None, headers: dict[str, Any]
) -> None:
    rabbitmq.grant(f"host.{A}", vhost.rpartition("/")[2])
    publish(plane.hosts[A], "", DEAD_LETTERS, user=user, headers=headers)
    letter = plane.letter()
    assert letter.sender in ("", f"host.{A}")
    assert (letter.sender == "") == (user is None or headers is LIES)
    if letter.sender:
        plane.letters.replay([letter.id])
        wait_until(lambda: f"host.{A}" in plane.asked, "the gate is asked")
    else:
        with pytest.raises(Conflict):
            plane.letters.replay([letter.id])
    assert plane.heard.empty()


def test_what_a_host_fails_on_is_a_dead_letter_of_who_sent_it(plane: Plane, amqp: MakeAmqp) -> None:
    is_mended: list[bool] = []
    own = Seen(fails=lambda _: not is_mended)
    amqp(plane.hosts[A]).serve(f"agent.{A}", own)
    plane.bus.cast(f"agent.{A}", ready("hard"))
    letter = plane.letter()
    assert (letter.sender, letter.kind, letter.topic) == (ACCOUNT, "cast", f"agent.{A}")
    assert "log" in letter.why
    is_mended.append(True)
    plane.letters.replay([letter.id])
    own.wait_count(QUICK.deliveries + 1)
    wait_until(lambda: not plane.letters.every(), "it is taken")


def test_a_hosts_queue_is_there_before_it_and_is_made_again(plane: Plane, rabbitmq: Broker, amqp: MakeAmqp) -> None:
    accounts = RabbitAccounts(rabbitmq.management_url.replace("://", "://guest:guest@"), plane.url)
    assert accounts.lacking() == []
    with Connection(plane.hosts[A]) as connection:
        connection.channel().queue_delete(cast_key(f"agent.{A}"))
    assert accounts.lacking() == [A]
    own = Seen()
    amqp(plane.hosts[A]).serve(f"agent.{A}", own)
    accounts.allow(A)
    assert accounts.lacking() == []
    accounts.close()
    wait_until(lambda: _answers(plane, A), "it serves its topic")
    plane.bus.cast(f"agent.{A}", ready("there"))
    own.wait("there")


def _answers(plane: Plane, host: str) -> bool:
    try:
        return plane.bus.call(f"agent.{host}", ready("asked")) == Ok()
    except NoAnswer:
        return False
