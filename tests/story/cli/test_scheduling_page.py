"""The examples of the page about scheduling do what the page says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from kilonova.cli.client import local_client
from tests.facts import REPOSITORY
from tests.story.cli.conftest import Commands, cloud_in

_PAGE = (REPOSITORY / "docs" / "scheduling.md").read_text()
HOW_TO_ASK = _PAGE.partition("\n## How to ask\n")[2].partition("\n## ")[0]
REST = "…"  # in an example: anything


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", HOW_TO_ASK, flags=re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Commands and what they print."""
    found = []
    for block in blocks("console"):
        for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = example.partition("\n")
            found.append((command, output))
    return found


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """The cloud that the page describes."""
    for commands in cloud_in(tmp_path_factory.mktemp("page")):
        commands.up("--hosts", "4")
        commands.upload_image("tiny")
        with local_client(commands.data_dir) as client:
            vast = {"name": "vast", "id": "vast", "ram": 2048, "vcpus": 1, "disk": 5000}
            client.call("compute", "POST", "/flavors", body={"flavor": vast})
            agents = client.get("compute", "/os-services", binary="nova-compute", host="sim-2")["services"]
            client.call("compute", "PUT", f"/os-services/{agents[0]['id']}", body={"status": "disabled"})
        commands.ok("boot", "web", "--flavor", "m1.small")
        yield commands


def lines(text: str) -> list[str]:
    """What is on its lines, without the rules of tables."""
    return [" ".join(line.split()) for line in text.splitlines() if line.strip(" ─")]


def as_pattern(expected: list[str]) -> str:
    return "\n".join("(?s:.*)" if line == REST else re.escape(line).replace(re.escape(REST), ".*") for line in expected)


@pytest.mark.parametrize(("command", "output"), examples(), ids=lambda text: text.partition("\n")[0][:60])
def test_a_command_prints_what_the_page_says(cloud: Commands, command: str, output: str) -> None:
    name, *args = shlex.split(command)
    printed = cloud.run(*args)
    assert (name, printed.exit_code in (0, 5)) == ("kilonova", True), printed.output
    expected = lines(output)
    assert re.fullmatch(as_pattern(expected), "\n".join(lines(printed.stdout))), printed.stdout


def test_the_question_is_answered_as_the_page_says(cloud: Commands) -> None:
    question, answer = (json.loads(block) for block in blocks("json")[:2])
    with local_client(cloud.data_dir) as client:
        question["placement"]["imageRef"] = next(client.pages("image", "/images", "images"))["id"]
        said = client.call("kilonova", "POST", "/placement", body=question)
    assert agrees(said, answer), json.dumps(said, indent=1)


def agrees(said: Any, expected: Any) -> bool:
    """Whether an answer is as the page shows it; what the page leaves out may be anything."""
    if expected == REST:
        return True
    if isinstance(expected, dict):
        return set(said) == set(expected) and all(agrees(said[name], expected[name]) for name in expected)
    if isinstance(expected, list) and expected[-1:] == [REST]:
        return len(said) >= len(expected) and all(map(agrees, said, expected[:-1]))
    if isinstance(expected, list):
        return len(said) == len(expected) and all(map(agrees, said, expected))
    return bool(said == expected)


def test_the_page_has_examples_and_a_wrong_one_would_be_seen() -> None:
    assert len(examples()) >= 3
    assert not agrees({"a": 1}, {"a": 1, "b": REST})
    assert not agrees([{"a": 1}], [{"a": 2}, REST])
    assert not re.fullmatch(as_pattern(["web is … on x"]), "web is gone on y")
