"""The broker dies, restarts, is not there yet; the network is cut. Nothing that was handed to the bus is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from kilonova.rpc.amqp.deadletters import DeadLetters
from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.messages import Ok
from tests.brokers import Broker
from tests.component.rpc.conftest import QUICK, MakeAmqp
from tests.component.rpc.seen import Seen, ready
from tests.tcpproxy import TcpProxy
from tests.waiting import wait_until


@pytest.fixture
def proxy(rabbitmq: Broker) -> Iterator[TcpProxy]:
    """A network between the test's buses and the broker."""
    proxy = TcpProxy(rabbitmq.port)
    yield proxy
    proxy.close()


def through(proxy: TcpProxy, url: str) -> str:
    """The URL by way of the proxy."""
    account, _, rest = url.partition("@")
    return f"{account}@127.0.0.1:{proxy.port}/{rest.rpartition('/')[2]}"


def test_a_thousand_casts_are_none_lost_while_the_broker_is_killed(
    amqp: MakeAmqp, rabbitmq: Broker, vhost: str
) -> None:
    seen, receiver, sender = Seen(), amqp(), amqp()
    receiver.serve("here", seen, workers=2)
    rabbitmq.wait_on_disk(vhost, "cast:here")
    names = [str(number) for number in range(1000)]
    half_sent = threading.Event()

    def send() -> None:
        for name in names:
            sender.cast("here", ready(name))
            if name == "500":
                half_sent.set()

    sending = threading.Thread(target=send)
    sending.start()
    assert half_sent.wait(30)
    rabbitmq.kill()
    sending.join()
    rabbitmq.start()
    seen.wait(*names)
    assert sender.state().dropped == 0
    assert DeadLetters(vhost).every() == []


def test_a_broker_that_restarts_in_good_order_is_come_back_to(amqp: MakeAmqp, rabbitmq: Broker) -> None:
    seen, bus = Seen(), amqp()
    bus.serve("here", seen)
    bus.cast("here", ready("before"))
    seen.wait("before")
    rabbitmq.stop()
    bus.cast("here", ready("while away"))
    wait_until(lambda: not bus.state().connected, "the loss to be noticed")
    rabbitmq.start()
    bus.cast("here", ready("after"))
    seen.wait("while away", "after")
    assert bus.call("here", Ok(), timeout_s=30) == Ok()


def test_a_broker_that_is_not_there_at_the_start_is_waited_for(amqp: MakeAmqp, proxy: TcpProxy, vhost: str) -> None:
    proxy.cut()
    seen = Seen()
    bus = amqp(through(proxy, vhost))
    bus.serve("here", seen)
    bus.serve("there", seen)  # which waits for no broker, or nothing would mend it
    with pytest.raises(NoAnswer, match="the broker is away"):
        bus.call("here", Ok(), timeout_s=0.1)
    proxy.mend()
    wait_until(lambda: bus.state().connected, "a connection")
    assert bus.call("there", Ok(), timeout_s=30) == Ok()
    bus.cast("here", ready("a"))
    seen.wait("a")


def test_a_cut_network_loses_nothing_and_blocks_nobody(amqp: MakeAmqp, proxy: TcpProxy, vhost: str) -> None:
    seen = Seen()
    amqp().serve("here", seen)
    sender = amqp(through(proxy, vhost))
    sender.cast("here", ready("first"))
    seen.wait("first")
    proxy.cut()
    names = [str(number) for number in range(200)]
    for name in names:
        sender.cast("here", ready(name))  # which waits for no network
    proxy.mend()
    seen.wait(*names)


def test_a_message_in_work_when_the_network_is_cut_comes_again(amqp: MakeAmqp, proxy: TcpProxy, vhost: str) -> None:
    go_on, seen = threading.Event(), Seen()

    def handle(message: Ok) -> Ok:
        seen(message)
        assert go_on.wait(30)
        return Ok()

    amqp(through(proxy, vhost)).serve("here", handle)
    amqp().cast("here", ready("a"))
    seen.wait("a")
    proxy.cut()
    proxy.mend()
    go_on.set()
    seen.wait_count(2)
    assert seen.counts() == {"a": 2}


def test_a_call_under_way_when_the_network_is_cut_has_no_answer(amqp: MakeAmqp, proxy: TcpProxy, vhost: str) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def handle(_: object) -> Ok:
        begun.set()
        assert go_on.wait(30)
        return Ok()

    amqp().serve("here", handle)
    caller, outcome = amqp(through(proxy, vhost)), []

    def ask() -> None:
        try:
            caller.call("here", Ok(), timeout_s=30)
        except NoAnswer as why:
            outcome.append(str(why))

    asking = threading.Thread(target=ask)
    asking.start()
    assert begun.wait(30)
    proxy.cut()
    asking.join(10)
    go_on.set()
    assert outcome
    assert outcome[0].startswith("the broker is away")
    proxy.mend()
    assert caller.call("here", Ok(), timeout_s=30) == Ok()


def test_topics_are_served_again_after_many_cuts(amqp: MakeAmqp, proxy: TcpProxy, vhost: str) -> None:
    seen, bus = Seen(), amqp(through(proxy, vhost))
    bus.serve("here", seen)
    for number in range(5):
        proxy.cut()
        proxy.mend()
        bus.cast("here", ready(str(number)))
    seen.wait(*map(str, range(5)))


def test_a_network_that_falls_silent_is_noticed_by_its_heartbeats(amqp: MakeAmqp, proxy: TcpProxy, vhost: str) -> None:
    seen = Seen()
    bus = amqp(through(proxy, vhost), pace=replace(QUICK, heartbeat_s=1.0, answer_s=2.0))
    bus.serve("here", seen)
    wait_until(lambda: bus.state().connected, "both connections up")  # served needs one
    proxy.freeze()
    bus.cast("here", ready("a"))
    wait_until(lambda: bus.state().reconnects >= 2, "both connections given up")
    assert seen.messages == []
    proxy.mend()
    seen.wait("a")


def test_what_a_full_queue_does_not_take_goes_again_until_it_does(amqp: MakeAmqp, rabbitmq: Broker, vhost: str) -> None:
    limit = {"pattern": "^cast:", "definition": {"max-length": 5, "overflow": "reject-publish"}, "apply-to": "queues"}
    rabbitmq.api("PUT", f"policies/{vhost.rpartition('/')[2]}/small", limit)
    first, sender, seen = amqp(), amqp(), Seen()
    first.serve("here", Seen())
    first.close()
    names: list[str] = []

    def is_full_after_one_more() -> bool:  # one at a time: of a burst the broker takes more than its limit
        names.append(str(len(names)))
        sender.cast("here", ready(names[-1]))
        return len(names) >= 20 and sender.state().waiting > 0

    wait_until(is_full_after_one_more, "the queue full")
    amqp().serve("here", seen)
    seen.wait(*names)


def test_a_broker_short_of_disk_is_left_alone_until_it_has_some(amqp: MakeAmqp, rabbitmq: Broker) -> None:
    seen, bus, sender = Seen(), amqp(), amqp()
    bus.serve("here", seen)
    closing = amqp(pace=replace(QUICK, answer_s=2.0, drain_s=0.1))
    try:
        rabbitmq.ctl("set_disk_free_limit", "900000GB")
        sender.cast("here", ready("first"))  # the broker says that it is short when somebody sends
        sender.cast("here", ready("second"))
        wait_until(lambda: sender.state().waiting + sender.state().unconfirmed, "messages held back")
        closing.cast("here", ready("lost"))
        wait_until(lambda: closing.state().unconfirmed, "a message that is not confirmed")
        closing.close()  # ends, though the broker does not answer
    finally:
        rabbitmq.ctl("set_disk_free_limit", "50MB")
    seen.wait("first", "second")
    assert sender.state().reconnects == 0
