"""What RabbitMQ lets a host's account do, and what the gate makes of what it says."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from kilonova.rpc.amqp import host_permissions
from kilonova.rpc.amqp.deadletters import DeadLetters
from kilonova.rpc.amqp.names import cast_arguments, cast_key
from kilonova.rpc.messages import GetUptime, Message, Ok
from tests.brokers import Broker
from tests.component.rpc.conftest import MakeAmqp
from tests.component.rpc.seen import WAIT_S, Seen, ready
from tests.waiting import wait_until


def host_account(rabbitmq: Broker, vhost: str, host: str) -> str:
    """An account as hosts get at their joining; its URL."""
    name, may, where = f"host.{host}", host_permissions(host), vhost.rpartition("/")[2]
    rabbitmq.add_user(name, "x")
    queue = quote(cast_key(f"agent.{host}"), safe="")
    rabbitmq.api("PUT", f"queues/{where}/{queue}", {"durable": True, "arguments": cast_arguments()})
    rabbitmq.grant(name, where, may.on_names())
    for keys in may.on_keys():
        rabbitmq.api("PUT", f"topic-permissions/{where}/{name}", keys)
    return rabbitmq.url(where, user=name, password="x")


def test_replaying_does_not_lift_what_the_gate_refused(amqp: MakeAmqp, vhost: str, rabbitmq: Broker) -> None:
    asked: list[str] = []

    def gate(sender: str, message: Message) -> bool:
        asked.append(sender)
        return sender != "host.evil"

    bus = amqp(gate=gate)
    seen = Seen()
    bus.serve("conductor", seen)
    evil = amqp(host_account(rabbitmq, vhost, "evil"))
    evil.cast("conductor", ready("a"))
    letters = DeadLetters(vhost)
    [letter] = wait_until(letters.every, "a dead letter")
    assert letter.sender == "host.evil"
    letters.replay([letter.id])
    [again] = wait_until(letters.every, "the dead letter again")
    assert again.sender == "host.evil"
    assert asked == ["host.evil", "guest", "host.evil"]
    assert seen.messages == []


def test_a_host_may_serve_its_topic_and_speak_to_the_conductor(amqp: MakeAmqp, vhost: str, rabbitmq: Broker) -> None:
    seen, own = Seen(), Seen()
    control = amqp()
    control.serve("conductor", seen)
    host = amqp(host_account(rabbitmq, vhost, "h1.example"))
    host.serve("agent.h1.example", own)
    host.cast("conductor", ready("a"))
    seen.wait("a")
    assert host.call("conductor", Ok(), timeout_s=WAIT_S) == Ok()
    assert control.call("agent.h1.example", Ok(), timeout_s=WAIT_S) == Ok()
    control.fanout("agent.h1.example", ready("b"))
    control.cast("agent.h1.example", GetUptime())
    own.wait("b")
    own.wait_count(3)


def test_a_host_may_not_command_another_and_that_holds_up_nothing(amqp: MakeAmqp, vhost: str, rabbitmq: Broker) -> None:
    seen, other = Seen(), Seen()
    control = amqp()
    control.serve("conductor", seen)
    control.serve("agent.h2", other)
    host = amqp(host_account(rabbitmq, vhost, "h1"))
    for name in ("a", "b"):
        host.cast("agent.h2", ready(name))
        host.cast("conductor", ready(name))
    seen.wait("a", "b")
    assert other.messages == []


@pytest.fixture
def intruder(vhost: str, rabbitmq: Broker) -> str:
    return host_account(rabbitmq, vhost, "h1")


def test_a_host_may_not_listen_to_another(amqp: MakeAmqp, intruder: str) -> None:
    listening = Seen()
    control, host = amqp(), amqp(intruder)
    control.serve("agent.h2", Seen())
    host.serve("agent.h2", listening)
    assert control.call("agent.h2", Ok(), timeout_s=WAIT_S) == Ok()
    control.fanout("agent.h2", ready("a"))
    assert listening.messages == []
