"""Plans of moves by the command line, over the records of a cloud that is up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kilonova.cli.client import local_client
from tests.story.cli.conftest import Commands

FULL, EMPTY = "sim-1", "sim-2"


@pytest.fixture
def uneven(cloud: Commands) -> Iterator[Commands]:
    """Four servers on one host, none on the other."""
    with local_client(cloud.data_dir) as client:
        services = client.get("compute", "/os-services", binary="nova-compute", host=EMPTY)["services"]
        where = f"/os-services/{services[0]['id']}"
        client.call("compute", "PUT", where, body={"status": "disabled"})
        cloud.ok("boot", "web", "--flavor", "m1.large", "--min-count", "4", "--max-count", "4")
        client.call("compute", "PUT", where, body={"status": "enabled"})
    yield cloud
    cloud.ok("delete", *cloud.ok("ps", "-o", "ids").split())


def test_a_plan_spreads_what_is_on_one_host(uneven: Commands) -> None:
    plan = uneven.facts("rebalance", "--plan")
    assert (plan["goal"], plan["measure"], plan["hosts"], plan["servers"]) == ("spread", "imbalance", 2, 4)
    assert [(move["source"], move["target"]) for move in plan["moves"]] == [(FULL, EMPTY)] * 2
    assert plan["after"] < plan["before"]
    assert sum(move["gain"] for move in plan["moves"]) == pytest.approx(plan["before"] - plan["after"])
    assert plan["moves"][0]["reason"].startswith(f"{FULL} is at ")
    assert plan["ended"] == "no further move within the limits gains anything"

    done = uneven.run("rebalance", "--plan", "--max-moves", "1")
    assert "after 1 move of" in done.stderr
    assert "as many moves as are allowed" in done.stderr
    assert done.stdout.splitlines()[1].split()[:3] == [plan["moves"][0]["server"], FULL, EMPTY]


def test_limits_hold_and_packing_leaves_what_is_packed(uneven: Commands) -> None:
    assert uneven.facts("rebalance", "--plan", "--max-ram", "1")["moves"] == []
    packed = uneven.facts("rebalance", "--plan", "--goal", "pack")
    assert (packed["moves"], packed["before"], packed["after"]) == ([], 1.0, 1.0)


@pytest.mark.parametrize(("what", "said"), [("--apply", "cannot migrate servers yet"), ("--undo", "nothing to undo")])
def test_carrying_out_is_refused_with_why(cloud: Commands, what: str, said: str) -> None:
    done = cloud.run("rebalance", what)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "Next: kilonova rebalance --plan" in done.stderr


def test_one_has_to_say_what(cloud: Commands) -> None:
    assert cloud.run("rebalance").exit_code == 2
