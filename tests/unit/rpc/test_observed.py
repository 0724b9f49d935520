from __future__ import annotations

import pytest
import structlog
from prometheus_client import CollectorRegistry

from kilonova.rpc.bus import NoAnswer
from kilonova.rpc.commands import RemoveServer
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import Heartbeat, Message, Ok, SagaReady
from kilonova.rpc.observed import ObservedBus


def test_messages_are_counted_by_kind_and_never_by_host() -> None:
    registry = CollectorRegistry()
    bus = ObservedBus(InProcessBus(), registry)
    bus.serve("agent.host-1", lambda _: Ok(), workers=0)
    bus.serve("agent.host-2", lambda _: Ok(), workers=0)
    for host in ("host-1", "host-2"):
        bus.cast(f"agent.{host}", RemoveServer(command_id="c", server_id="s", generation=1))
    bus.fanout("agent.host-1", SagaReady(saga_id="s"))
    assert isinstance(bus.call("agent.host-1", Heartbeat(hosts=())), Ok)
    labels = {"topic": "agent", "message": "RemoveServer"}
    assert registry.get_sample_value("kilonova_bus_handled_seconds_count", labels) == 2
    assert registry.get_sample_value("kilonova_bus_sent_total", {"way": "cast", "message": "RemoveServer"}) == 2
    assert registry.get_sample_value("kilonova_bus_sent_total", {"way": "fanout", "message": "SagaReady"}) == 1
    assert registry.get_sample_value("kilonova_bus_sent_total", {"way": "call", "message": "Heartbeat"}) == 1


def test_a_request_is_bound_while_its_message_is_handled_and_leaves_a_line() -> None:
    bus = ObservedBus(InProcessBus(), CollectorRegistry())
    bound: list[dict[str, object]] = []

    def handle(_: Message) -> Message:
        bound.append(structlog.contextvars.get_contextvars())
        return Ok()

    bus.serve("agent.one", handle, workers=0)
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        bus.cast("agent.one", RemoveServer(request_id="req-1", command_id="c", server_id="s-1", generation=1))
        bus.cast("agent.one", Heartbeat(hosts=("one",)))
    assert bound == [{"request_id": "req-1", "server": "s-1"}, {}]
    assert [(line["message"], line["request_id"], line["server"]) for line in logged] == [
        ("RemoveServer", "req-1", "s-1")
    ]
    assert structlog.contextvars.get_contextvars() == {}


def test_a_handler_that_fails_is_counted_and_its_error_passed_on() -> None:
    registry = CollectorRegistry()
    bus = ObservedBus(InProcessBus(), registry)

    def fail(_: Message) -> Message:
        raise ValueError("no")

    bus.serve("scheduler", fail, workers=0)
    with pytest.raises(NoAnswer):
        bus.call("scheduler", SagaReady(saga_id="s"))
    assert registry.get_sample_value("kilonova_bus_failed_total", {"topic": "scheduler", "message": "SagaReady"}) == 1
