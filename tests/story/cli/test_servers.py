"""Servers by the command line: boot them as Nova's classic command did, look at them, wait for them, delete them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.cli.client import local_client
from tests.story.cli.conftest import Commands


@pytest.fixture(autouse=True)
def no_servers_left(cloud: Commands) -> Iterator[None]:
    yield
    if left := cloud.ok("ps", "-o", "ids").split():
        cloud.ok("delete", *left)


def test_a_bare_boot_picks_what_was_not_said_and_says_so(cloud: Commands) -> None:
    done = cloud.run("boot", "web")
    assert done.exit_code == 0, done.output
    for said in ("Image: tiny, the only one", "the smallest that fits", "web: ACTIVE", "1 active after"):
        assert said in done.stderr
    shown = cloud.facts("show", "web")
    assert (shown["status"], shown["flavor"], len(shown["addresses"])) == ("ACTIVE", "m1.nano", 1)
    assert f"addresses        {shown['addresses'][0]}" in done.stdout


def test_everything_that_can_be_said_arrives(cloud: Commands, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    made = cloud.facts(
        "boot", "full", "--image-with", "os_distro=debian", "--flavor", "m1.tiny", "--meta", "role=web",
        "--file", f"/etc/x={script}", "--user-data", str(script), "--availability-zone", "nova", "--security-groups", "default",
        "--nic", "net-name=private,v4-fixed-ip=10.42.7.7", "--hint", "color=blue", "--config-drive", "true", "--poll",
    )  # fmt: skip
    assert made["flavor"] == "m1.tiny"
    assert made["metadata"] == {"role": "web"}
    assert made["addresses"] == ["10.42.7.7"]
    assert (made["zone"], made["security_groups"]) == ("nova", ["default"])


def test_several_at_once(cloud: Commands) -> None:
    made = cloud.facts("boot", "many", "--min-count", "2", "--max-count", "3")
    assert {one["name"] for one in made} == {"many-1", "many-2", "many-3"}
    assert {one["status"] for one in made} == {"ACTIVE"}


@pytest.mark.parametrize(
    ("args", "exit_code", "said"),
    [
        (["--image", "tyni"], 3, "Did you mean 'tiny'?"),
        (["--flavor", "m1.tny"], 3, "'m1.tiny'"),
        (["--key-name", "nobody"], 3, "There is no key pair 'nobody'"),
        (["--nic", "net-name=privat"], 3, "Did you mean 'private'?"),
        (["--availability-zone", "mars"], 1, "availability zone"),
        (["--nic", "nothing"], 2, "is not in the form"),
    ],
)
def test_a_refusal_says_what_and_makes_nothing(cloud: Commands, args: list[str], exit_code: int, said: str) -> None:
    refused = cloud.run("boot", "no", *args)
    assert (refused.exit_code, refused.stdout) == (exit_code, "")
    assert said in refused.stderr
    assert cloud.facts("ps") == []


def test_no_room_is_an_exit_code_of_its_own(cloud: Commands) -> None:
    vast = {"name": "vast", "ram": 2048, "vcpus": 1, "disk": 10**6}
    with local_client(cloud.data_dir) as client:
        client.call("compute", "POST", "/flavors", body={"flavor": vast})
    refused = cloud.run("boot", "big", "--flavor", "vast")
    assert (refused.exit_code, refused.stdout) == (5, "")
    assert "No valid host" in refused.stderr
    assert "Next: a smaller --flavor" in refused.stderr
    assert cloud.facts("show", "big")["status"] == "ERROR"


def test_logs_show_and_wait(cloud: Commands) -> None:
    ident = cloud.facts("boot", "web")["id"]
    whole = cloud.ok("logs", "web")
    assert cloud.ok("logs", ident, "-n", "1").splitlines() == whole.splitlines()[-1:]
    for goal in ("active", "ip"):
        assert cloud.facts("wait", "web", "--for", goal)["id"] == ident
    late = cloud.run("wait", "web", "--for", "deleted", "--timeout", "0")
    assert (late.exit_code, "not yet gone" in late.stderr) == (4, True)
    assert cloud.run("ssh", "web").exit_code == 1


def test_deleting_looks_all_names_up_first(cloud: Commands) -> None:
    ident = cloud.facts("boot", "web")["id"]
    refused = cloud.run("delete", "web", "wep")
    assert (refused.exit_code, "Did you mean 'web'?" in refused.stderr) == (3, True)
    assert cloud.facts("show", "web")["status"] == "ACTIVE"
    assert cloud.ok("delete", "web") == f"{ident}\n"
    assert cloud.run("show", ident).exit_code == 3
    assert cloud.ok("wait", ident, "--for", "deleted") == ""
    assert cloud.facts("audit")["total"] == 0


def test_two_of_one_name_are_told_apart_by_id(cloud: Commands) -> None:
    ids = {cloud.facts("boot", "twin", "--no-wait")["id"] for _ in range(2)}
    refused = cloud.run("show", "twin")
    assert refused.exit_code == 2
    assert all(one in refused.stderr for one in ids)


def test_routes_need_no_cloud(own: Commands) -> None:
    rows = own.facts("routes", "--service", "compute")
    assert {
        "service": "compute",
        "method": "GET",
        "path": "/compute/v2.1/servers/detail",
        "status": 200,
    }.items() <= next(row for row in rows if row["path"].endswith("/servers/detail")).items()
    assert not own.data_dir.exists()
