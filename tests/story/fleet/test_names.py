"""Two conductors of one name: the second waits and says why, and is at work as soon as the first is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fleet import Fleet, Node
from tests.waiting import wait_until


@pytest.fixture
def twin(running: Fleet) -> Iterator[Node]:
    """A conductor that was given the name of one that runs."""
    made = Node("conductor", "twin", running.config, running.env | {"KILONOVA_CONDUCTOR_NAME": "conductor-1"})
    made.start()
    yield made
    made.close()


def waits_for_its_name(node: Node) -> None:
    wait_until(lambda: "name" in (node.problems() or {}), f"{node.name} waits", 60)
    said = (node.problems() or {})["name"]
    assert "another conductor named conductor-1" in said
    assert "KILONOVA_CONDUCTOR_NAME" in said


def test_the_second_waits_for_its_name_and_has_it_when_the_first_is_gone(
    running: Fleet, twin: Node, image: str
) -> None:
    first = running.nodes["conductor-1"]
    waits_for_its_name(twin)
    assert first.problems() == {}
    assert any("name" in line.get("problems", {}) for line in twin.lines())
    first.kill()
    twin.wait_ready(30)
    first.start()
    waits_for_its_name(first)
    client = running.client()
    assert client.boot("between-two", image).status_code == 202
    wait_until(lambda: client.statuses().get("between-two") == "ACTIVE", "a server of theirs", 90)
    assert twin.stop() == 0
    first.wait_ready(30)
