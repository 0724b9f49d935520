from __future__ import annotations

import re

import pytest

from kilonova.rpc.amqp import names

HOST = names.host_permissions("h1.example")


@pytest.mark.parametrize(
    ("pattern", "name", "may"),
    [
        (HOST.configure, "cast:agent.h1.example", True),
        (HOST.configure, "fanout:host.h1.example:0f", True),
        (HOST.configure, "kilonova", False),
        (HOST.configure, "cast:agent.h1", False),
        (HOST.configure, "cast:agent.h1-example", False),
        (HOST.configure, "cast:agent.h1.example.org", False),
        (HOST.configure, "cast:conductor", False),
        (HOST.read, "kilonova.dead-letters", False),
        (HOST.read, "cast:agent.h2", False),
        (HOST.write, "amq.default", False),
        (HOST.write, "kilonova.from-hosts", True),
        (HOST.write, "kilonova", False),
        (HOST.write, "kilonova.dead", False),
        (HOST.topic_write, "cast:conductor", True),
        (HOST.topic_write, "cast:agent.h1.example", False),
        (HOST.topic_write, "dead", False),
        (HOST.topic_write, "cast:agent.h2", False),
        (HOST.topic_write, "call:scheduler", False),
        (HOST.topic_write, "fanout:scheduler", False),
        (HOST.topic_read, "call:agent.h1.example", True),
        (HOST.topic_read, "#", False),
        (HOST.topic_read, "fanout:share.62317373-8bec-4026-8c88-75caaa2914cf", True),
        (HOST.topic_read, "fanout:share.#", False),
        (HOST.topic_read, "fanout:share.*", False),
        (HOST.topic_write, "fanout:share.62317373-8bec-4026-8c88-75caaa2914cf", False),
        (HOST.topic_read, "cast:conductor", False),
        (HOST.topic_read, "reply:guest:0f", False),
    ],
)
def test_a_host_may_do_for_itself_alone(pattern: str, name: str, may: bool) -> None:
    assert bool(re.search(pattern, name)) is may
