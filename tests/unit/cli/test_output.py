from __future__ import annotations

import json
import shlex

import pytest
import yaml

from kilonova.cli.facts import addresses, has_no_capacity, server_facts, stands
from kilonova.cli.logs import news
from kilonova.cli.output import facts_text, rows_text

ROWS = [
    {"id": "1", "name": "a b", "addresses": ["10.0.0.1", "10.0.0.2"], "metadata": {}, "task": None},
    {"id": "22", "name": "it's", "addresses": [], "metadata": {"k": "v"}, "task": "spawning"},
]
COLUMNS = ("id", "name", "addresses", "task")
SERVER = {
    "id": "i", "name": "web", "status": "BUILD", "tenant_id": "p", "created": "now", "metadata": {"a": "b"}, "progress": 40,
    "OS-EXT-STS:task_state": "spawning", "flavor": {"original_name": "m1"}, "image": {"id": "img"}, "key_name": None,
    "addresses": {"n": [{"addr": "fd00::1", "version": 6}, {"addr": "10.0.0.1", "version": 4}]},
    "security_groups": [{"name": "default"}, {"name": "default"}],
}  # fmt: skip


def test_a_table_is_aligned_and_says_nothing_with_a_dash() -> None:
    assert rows_text(ROWS, "table", columns=COLUMNS).splitlines() == [
        "ID  NAME  ADDRESSES           TASK",
        "1   a b   10.0.0.1, 10.0.0.2  -",
        "22  it's  -                   spawning",
    ]


def test_programs_get_every_field() -> None:
    assert json.loads(rows_text(ROWS, "json", columns=("id",))) == ROWS
    assert yaml.safe_load(rows_text(ROWS, "yaml", columns=("id",))) == ROWS
    assert rows_text(ROWS, "ids", columns=("id",)) == "1\n22"
    assert json.loads(facts_text(ROWS[0], "json")) == ROWS[0]
    assert yaml.safe_load(facts_text(ROWS[0], "yaml")) == ROWS[0]
    assert facts_text(ROWS[1], "ids") == "22"


def test_a_shell_reads_what_env_prints() -> None:
    said = dict(word.split("=", 1) for word in shlex.split(facts_text(ROWS[1], "env")))
    assert said["KILONOVA_NAME"] == "it's"
    assert json.loads(said["KILONOVA_METADATA"]) == {"k": "v"}
    assert "KILONOVA_1_ID=22" in rows_text(ROWS, "env", columns=())


def test_a_servers_facts_are_flat() -> None:
    facts = server_facts(SERVER)
    assert facts["addresses"] == ["10.0.0.1", "fd00::1"] == addresses(SERVER)
    assert (facts["image"], facts["flavor"], facts["security_groups"], facts["fault"]) == (
        "img",
        "m1",
        ["default"],
        None,
    )
    assert server_facts(SERVER | {"image": "", "security_groups": []})["image"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "web: BUILD, spawning, disks, 40%"),
        ({"progress": 0}, "web: BUILD, spawning, disks"),
        ({"status": "ACTIVE", "OS-EXT-STS:task_state": None}, "web: ACTIVE, disks"),
    ],
)
def test_where_a_server_stands(changes: dict[str, object], said: str) -> None:
    assert stands(SERVER | changes, "disks") == said


def test_want_of_capacity_is_told_from_other_faults() -> None:
    assert has_no_capacity({"fault": {"message": "No valid host was found. There are not enough hosts available."}})
    assert not has_no_capacity({"fault": {"message": "broken image"}})
    assert not has_no_capacity({})


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("", "a\n", "a\n"),
        ("a\n", "a\nb\n", "b\n"),
        ("a\nb\n", "a\nb\n", ""),
        ("x" * 500 + "end\n", "x" * 397 + "end\nmore\n", "more\n"),
        ("all gone\n", "new boot\n", "new boot\n"),
    ],
)
def test_a_followed_log_says_only_what_is_new(before: str, now: str, said: str) -> None:
    assert news(before, now) == said
