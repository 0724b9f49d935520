"""An attack that gets through, and one that breaks, are both told as such."""

from __future__ import annotations

import pytest

from tests.attack.kit import POSITIONS, Attack, Fell, all_attacks, run, summary
from tests.attack.target import Target


class Served(Target):
    """A target that is there, without a cloud behind it."""

    serves = True

    def must_serve(self) -> None:
        assert self.serves, "nobody answers"


def outcome(body: object, *, serves: bool = True) -> tuple[bool, str]:
    target = Served(is_short=True)
    target.serves = serves
    (one,) = run([Attack("tenant", "x", body)], target, lambda _text: None)  # type: ignore[arg-type]
    return one.held, one.seen


def get_through(_target: Target) -> None:
    raise Fell("the door was open")


def break_down(_target: Target) -> None:
    raise KeyError("id")


def test_what_holds_is_told_as_held() -> None:
    assert outcome(lambda _target: None) == (True, "")


@pytest.mark.parametrize(
    ("body", "words"), [(get_through, "the door was open"), (break_down, "the attack itself broke")]
)
def test_what_gets_through_or_breaks_is_not(body: object, words: str) -> None:
    held, seen = outcome(body)
    assert not held
    assert words in seen


def test_a_cloud_that_serves_nobody_any_more_has_fallen() -> None:
    held, seen = outcome(lambda _target: None, serves=False)
    assert not held
    assert "nobody answers" in seen


def test_the_summary_names_what_fell() -> None:
    target = Served(is_short=True)
    attacks = [Attack("tenant", "one", get_through), Attack("host", "two", lambda _target: None)]
    said = summary(run(attacks, target, lambda _text: None))
    assert (said["tried"], said["held"], said["fell"]) == (2, 1, ["one"])


def test_every_attack_says_what_it_tries_and_every_position_is_taken() -> None:
    attacks = all_attacks()
    assert {one.position for one in attacks} == set(POSITIONS)
    assert all(one.what for one in attacks)
    assert len({one.name for one in attacks}) == len(attacks)
