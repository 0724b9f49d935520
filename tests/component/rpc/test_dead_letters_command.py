"""`kilonova dead-letters` on a real broker."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from kilonova.cli.main import cli
from kilonova.rpc.amqp.deadletters import DeadLetters
from tests.component.rpc.conftest import QUICK, MakeAmqp
from tests.component.rpc.seen import Seen, ready
from tests.waiting import wait_until


def run(url: str, *args: str) -> tuple[int, str, str]:
    done = CliRunner(env={"KILONOVA_BUS_URL": url}).invoke(cli, ["dead-letters", *args])
    return done.exit_code, done.stdout, done.stderr


class Broken:
    """A topic whose handler fails until it is mended, and two dead letters of it."""

    def __init__(self, amqp: MakeAmqp, vhost: str) -> None:
        self.is_mended = False
        self.seen = Seen(fails=lambda _: not self.is_mended)
        bus = amqp()
        bus.serve("here", self.seen)
        for name in ("a", "b"):
            bus.cast("here", ready(name))
        wait_until(lambda: len(DeadLetters(vhost).every()) == 2, "two dead letters")


@pytest.fixture
def broken(amqp: MakeAmqp, vhost: str) -> Broken:
    return Broken(amqp, vhost)


def test_they_are_listed_and_shown_with_why(broken: Broken, vhost: str) -> None:
    code, out, _ = run(vhost, "list")
    assert code == 0
    assert out.splitlines()[0].split() == ["ID", "TYPE", "TOPIC", "SENDER", "DIED", "AT", "WHY"]
    assert out.count("its handler failed 6 times") == 2
    listed = json.loads(run(vhost, "list", "--json")[1])
    code, out, _ = run(vhost, "show", listed[0]["id"][:12], "--json")
    shown = json.loads(out)
    assert (code, shown) == (0, listed[0])
    assert {json.loads(one["body"])["saga_id"] for one in listed} == {"a", "b"}


def test_one_is_replayed_and_the_other_dropped(broken: Broken, vhost: str) -> None:
    broken.is_mended = True
    first, second = (one.id for one in DeadLetters(vhost).every())
    code, out, err = run(vhost, "replay", first)
    assert (code, out.split(), err) == (0, [first], "1 replayed.\n")
    broken.seen.wait_count(2 * QUICK.deliveries + 1)
    assert run(vhost, "drop", "--all")[:2] == (0, f"{second}\n")
    assert DeadLetters(vhost).every() == []


def test_what_is_not_there_or_not_said_is_told(vhost: str) -> None:
    code, _, err = run(vhost, "show", "nothing")
    assert code == 3
    assert "Dead letter nothing could not be found." in err
    assert run(vhost, "drop")[0] == 2
    code, _, err = run(vhost, "replay", "--all")
    assert (code, err) == (1, "There was nothing that could be replayed.\n")


def test_a_broker_that_is_away_is_said_in_words() -> None:
    code, _, err = run("amqp://guest:secret@127.0.0.1:1/x", "list")
    assert code == 1
    assert "The broker does not answer" in err
    assert "Next: look at the bus's URL" in err
    assert "secret" not in err
