"""Filters by regular expression: what passes, what is refused and how it is said, and that nothing takes its time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.api.compute.patterns import check_pattern
from kilonova.compute.extra_specs import check_specs
from kilonova.domain.errors import InvalidField, Rejected
from kilonova.domain.regex import found


@pytest.mark.parametrize(
    "text",
    ["web", "^web-[0-9]+$", "a|b", "(one|two) three", r"10\.0\.0\.", "web.*prod.*", "[^a-z]", "", "(a*)*b", "(a+)+$",
     "a*b*c*d*", "(.*)(.*)x", "(a|(b|(c|d)))+"],
)  # fmt: skip
def test_everyday_patterns_pass_and_those_that_were_dangerous(text: str) -> None:
    assert check_pattern("name", text) == text


def test_shorthands_are_spelled_out() -> None:
    assert check_pattern("name", r"\d+[\w.]\s\-") == r"[0-9]+[0-9A-Za-z_\.][\t\n\v\f\r ]\-"
    assert found(check_pattern("name", r"^[]\]a-]+$"), "]a-") is True


@pytest.mark.parametrize(
    ("text", "said"),
    [("a{1000}", "braces are not supported"), ("(?=x)", r"\(\? is not supported"), ("(?i)x", r"\(\? is not supported"),
     ("a++", "a repeat after a repeat"), ("a*?", "a repeat after a repeat"), ("[[:alpha:]]", r"a \[ inside of"),
     ("[a||b]{2}", "braces"), ("*", "nothing that"), ("(+a)", "nothing that"), ("a|*", "nothing that"), ("^*", "nothing that"),
     (r"\q", "the escape"), (r"\b", "the escape"), ("\\", "the escape"), (r"\1", "the escape"), ("(((", "without its"),
     ("a)", "without its"), ("[", "without its"), ("[]", "without its"), ("[^]", "without its"), ("[z-a]", "not a regular"),
     ("[a-c-e]", "stands between"), (r"[\d-z]", "stands between"), ("x" * 256, "at most 255")],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(InvalidField, match=f"Invalid input for name: .*{said}"):
        check_pattern("name", text)


@given(st.text(alphabet="ab.*+?|()[]^$\\-:=dw", max_size=60))
def test_what_passes_is_quick_on_the_worst_of_names(text: str) -> None:
    try:
        pattern = check_pattern("name", text)
    except InvalidField:
        return
    started = time.process_time()
    for _ in range(10):
        found(pattern, "a" * 254 + "!")
    assert time.process_time() - started < 5  # a bound that what is exponential would pass by far, and nothing else


@pytest.mark.parametrize("spec", ["hw:cpu_dedicated_mask", "hw:cpu_realtime_mask"])
def test_a_value_of_an_extra_spec_that_backtracks_for_ever_is_refused_at_once(spec: str) -> None:
    with pytest.raises(Rejected):
        check_specs({spec: "1" + ",1-1" * 60 + "!"})
