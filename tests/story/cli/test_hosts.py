"""Hosts of a simulated cloud at the command line: listed, taken out of use, and no stranger let in."""

from __future__ import annotations

from typing import Any

from tests.story.cli.conftest import Commands


def row(cloud: Commands, name: str) -> dict[str, Any]:
    return next(one for one in cloud.facts("host", "list") if one["name"] == name)


def test_hosts_are_listed_with_what_they_are_and_hold(cloud: Commands) -> None:
    assert [one["name"] for one in cloud.facts("host", "list")] == ["sim-1", "sim-2"]
    found = row(cloud, "sim-1")
    assert (found["state"], found["status"], found["servers"], found["joined_at"]) == ("up", "enabled", 0, None)
    assert "sim-1" in cloud.ok("host", "list")


def test_a_host_is_disabled_for_a_reason_and_enabled_again(cloud: Commands) -> None:
    cloud.ok("host", "disable", "sim-1", "--reason", "its fan is loud")
    assert (row(cloud, "sim-1")["status"], row(cloud, "sim-1")["disabled_reason"]) == ("disabled", "its fan is loud")
    cloud.ok("host", "enable", "sim-1")
    assert (row(cloud, "sim-1")["status"], row(cloud, "sim-1")["disabled_reason"]) == ("enabled", None)
    assert cloud.run("host", "disable", "sim-1").exit_code == 2  # without a reason


def test_a_host_is_down_when_somebody_says_so(cloud: Commands) -> None:
    cloud.ok("host", "force-down", "sim-2")
    assert (row(cloud, "sim-2")["state"], row(cloud, "sim-2")["forced_down"]) == ("down", True)
    cloud.ok("host", "force-down", "sim-2", "--lift")
    assert row(cloud, "sim-2")["state"] == "up"


def test_a_host_that_is_not_there_is_said_with_those_that_are(cloud: Commands) -> None:
    done = cloud.run("host", "enable", "sim-9")
    assert done.exit_code == 3
    assert "There is no host 'sim-9'. Did you mean 'sim-" in done.stderr
    assert cloud.run("host", "remove", "nobody").exit_code == 3


def test_a_cloud_in_one_process_lets_no_other_host_in_and_says_why(cloud: Commands) -> None:
    made = cloud.run("host", "token", "--expires", "90s")
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert f"kilonova host join http://127.0.0.1:{cloud.port} TOKEN" in made.stderr
    folder = str(cloud.data_dir / "etc")
    done = cloud.run(
        "host", "join", f"http://127.0.0.1:{cloud.port}", token, "--name", "rack-1", "--config-dir", folder
    )
    assert done.exit_code == 1
    assert "This cloud's bus is inside its one process" in done.stderr
    assert "rack-1" not in cloud.ok("host", "list")


def test_whoever_tries_without_a_token_is_in_the_list_of_refusals(cloud: Commands) -> None:
    folder = str(cloud.data_dir / "etc")
    done = cloud.run("host", "join", f"127.0.0.1:{cloud.port}", "guess", "--name", "rack-2", "--config-dir", folder)
    assert done.exit_code == 1
    found = next(one for one in cloud.facts("host", "refusals") if one["about"] == "rack-2")
    assert (found["sender"], found["what"]) == ("address 127.0.0.1", "join")
    assert cloud.facts("host", "refusals", "--sender", "host.nobody") == []


def test_a_time_is_said_in_units(cloud: Commands) -> None:
    for wrong in ("soon", "-1h", "1y", ""):
        done = cloud.run("host", "token", "--expires", wrong)
        assert done.exit_code == 2, wrong
    made = cloud.facts("host", "token", "--expires", "2d", "--host", "rack-3")
    assert made["host"] == "rack-3"
