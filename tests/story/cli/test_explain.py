"""Why a server is where it is, by the command line: in the very words of the API and of the server's fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from kilonova.cli.client import local_client
from tests.story.cli.conftest import Commands

HUGE = {"name": "huge", "ram": 2048, "vcpus": 1, "disk": 10**6}


@pytest.fixture(scope="module", autouse=True)
def huge(cloud: Commands) -> None:
    with local_client(cloud.data_dir) as client:
        client.call("compute", "POST", "/flavors", body={"flavor": HUGE})


@pytest.fixture(autouse=True)
def no_servers_left(cloud: Commands) -> Iterator[None]:
    yield
    if left := cloud.ok("ps", "-o", "ids").split():
        cloud.ok("delete", *left)


def placement(cloud: Commands, server_id: str) -> Any:
    with local_client(cloud.data_dir) as client:
        return client.get("kilonova", f"/servers/{server_id}/placement")["placement"]


def test_fault_api_and_command_line_say_the_same_of_the_same_request(cloud: Commands) -> None:
    asked = cloud.run("place", "--flavor", "huge", "--image", "tiny", "--hint", "color=blue")
    assert cloud.run("boot", "big", "--flavor", "huge", "--image", "tiny", "--hint", "color=blue").exit_code == 5
    server = cloud.facts("show", "big")
    told, kept = cloud.ok("explain", "big"), placement(cloud, server["id"])
    fault = server["fault"]
    assert fault.startswith("No valid host was found. 2 hosts asked; ResourceFilter removed 2 of 2: needs ")
    assert kept["message"] == fault
    assert fault in told.splitlines()
    assert fault in asked.stdout.splitlines()
    miss, (decision,) = kept["decisions"][0]["nearest_miss"], kept["decisions"]
    for shown in (told, asked.stdout):
        assert f"{miss['host']} lacks {miss['lacks']}" in shown
        removed = next(one for one in decision["filters"] if one["removed"])
        line = next(line for line in shown.splitlines() if removed["name"] in line and "No valid" not in line)
        assert line.split()[:3] == ["ResourceFilter", "2", "2"]
        assert line.rstrip().endswith(removed["reason"])
    assert told.startswith("big is ERROR\n")
    assert (asked.exit_code, asked.stdout.startswith("It would go nowhere\n")) == (5, True)


def test_an_active_server_is_explained_with_its_winner(cloud: Commands) -> None:
    cloud.ok("boot", "web")
    server, told = cloud.facts("show", "web"), cloud.ok("explain", "web")
    assert told.startswith(f"web is ACTIVE on {server['host']}\nA host was found. 2 hosts asked;")
    assert "Create, attempt 1" in told
    assert f"{server['host']}, zone nova, score" in told
    assert cloud.facts("explain", "web") == placement(cloud, server["id"])


def test_a_server_that_is_gone_is_explained_by_its_id(cloud: Commands) -> None:
    ident = cloud.facts("boot", "web")["id"]
    before = cloud.facts("explain", "web")
    cloud.ok("delete", "web")
    assert cloud.ok("explain", ident).startswith(f"{ident} is gone\nA host was found.")
    assert cloud.facts("explain", ident) == before
    never = cloud.run("explain", "11111111-2222-4333-8444-555555555555")
    assert (never.exit_code, never.stdout) == (3, "")


def test_a_question_says_where_and_boots_nothing(cloud: Commands) -> None:
    done = cloud.run("place")
    assert (done.exit_code, "flavor m1.nano, the smallest that fits" in done.stderr) == (0, True)
    assert done.stdout.startswith("It would go to sim-")
    several = cloud.ok("place", "--count", "6", "--flavor", "m1.tiny")
    assert several.startswith("6 of 6 would find a host\n")
    rows = [line.split() for line in several.splitlines() if line.strip().startswith("sim-")][:2]
    assert sorted(row[0] for row in rows) == ["sim-1", "sim-2"]
    assert sum(int(row[2]) for row in rows) == 6
    assert len(json.loads(cloud.ok("place", "--count", "3", "-o", "json"))["hosts"]) == 3
    assert cloud.facts("ps") == []


@pytest.mark.parametrize(
    ("args", "exit_code", "said"),
    [
        (["explain", "nobody"], 3, "There is no server 'nobody'"),
        (["place", "--flavor", "hug"], 3, "Did you mean 'huge'?"),
        (["place", "--hint", "group"], 2, "is not in the form KEY=VALUE"),
        (["place", "--hint", "group=none"], 1, "os:scheduler_hints.group"),
        (["place", "--availability-zone", "mars"], 1, "availability zone"),
        (["place", "--count", "0"], 2, "--count"),
    ],
)
def test_a_wrong_question_is_refused_in_words(cloud: Commands, args: list[str], exit_code: int, said: str) -> None:
    refused = cloud.run(*args)
    assert (refused.exit_code, refused.stdout) == (exit_code, "")
    assert said in refused.stderr
