import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.api.compute.patterns import check_pattern
from kilonova.domain.errors import InvalidField


@pytest.mark.parametrize(
    "text", ["web", "^web-[0-9]+$", "a|b", "(one|two) three", r"10\.0\.0\.", "web.*prod.*", "[^a-z]", ""]
)
def test_everyday_patterns_pass(text: str) -> None:
    assert check_pattern("name", text) == text


DANGEROUS = [
    "(a*)*",
    "(a+)+b",
    "a{1000}",
    "(?=x)",
    "a*b*c*",
    "(.*)(.*)x",
    "(a|a)(a|a)(a|a)x",
    "(a|(b|(c|d)))",
    r"\\*" * 3,
    "x" * 256,
    "[[:alpha:]]",
    "[a||b]",
    "a++",
]
BROKEN = ["(((", "[", "*", r"\q"]


@pytest.mark.parametrize("text", [*DANGEROUS, *BROKEN])
def test_dangerous_and_broken_ones_are_refused(text: str) -> None:
    with pytest.raises(InvalidField, match="Invalid input for name"):
        check_pattern("name", text)


@given(st.text(alphabet="ab.*+?|()[]^$\\{}:=d", max_size=40))
def test_what_passes_is_quick_on_the_worst_of_names(text: str) -> None:
    try:
        pattern = re.compile(check_pattern("name", text))
    except InvalidField:
        return
    started = time.process_time()
    pattern.search("a" * 254 + "!")
    assert time.process_time() - started < 0.5
