from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.api.framework.versions import (
    UNVERSIONED,
    Version,
    VersionOutOfRange,
    VersionRange,
    between,
    negotiate,
    since,
    until,
)
from kilonova.domain.errors import Rejected

SPOKEN = between("2.1", "2.104")
some = st.builds(Version, st.integers(1, 9), st.integers(0, 999))
ranges = st.builds(
    lambda a, b: VersionRange(None if a is None else min(a, b or a), None if b is None else max(a or b, b)),
    st.none() | some,
    st.none() | some,
)


@given(some)
def test_what_is_written_is_read_back(version: Any) -> None:
    assert Version.parse(str(version)) == version


@given(some, some)
def test_order_is_that_of_the_numbers(a: Any, b: Any) -> None:
    assert (a < b) == ((a.major, a.minor) < (b.major, b.minor))
    assert a < a.next()


@given(ranges, ranges, some)
def test_a_common_version_means_overlap(a: Any, b: Any, version: Any) -> None:
    if version in a and version in b:
        assert a.overlaps(b)
        assert b.overlaps(a)


@given(ranges, some)
def test_membership_changes_at_edges_only(within: Any, version: Any) -> None:
    if (version in within) != (version.next() in within):
        assert version.next() in within.edges()


def test_minor_ten_comes_after_nine() -> None:
    assert Version.parse("2.9") < Version.parse("2.10")


@pytest.mark.parametrize(
    "text", ["", "2", "2.", ".1", "2.01", "02.1", "2.1\n", "2.1.1", "-2.1", "2.x", "\u0662.\u0661", "2.1 ", "9" * 99]
)
def test_malformed_versions_are_rejected(text: Any) -> None:
    with pytest.raises(Rejected):
        negotiate(text, SPOKEN)


@pytest.mark.parametrize("text", ["2.0", "2.105", "3.0", "1.1"])
def test_versions_outside_the_range_are_not_acceptable(text: Any) -> None:
    with pytest.raises(VersionOutOfRange, match=r"Minimum is 2\.1 and maximum is 2\.104"):
        negotiate(text, SPOKEN)


def test_absent_is_the_oldest_and_latest_the_newest() -> None:
    assert negotiate(None, SPOKEN) == (2, 1)
    assert negotiate("latest", SPOKEN) == (2, 104)
    assert negotiate("2.73", SPOKEN) == (2, 73)
    assert negotiate("2.73", VersionRange()) == UNVERSIONED


def test_ends_are_included() -> None:
    assert Version(2, 19) in since("2.19")
    assert Version(2, 18) not in since("2.19")
    assert Version(2, 56) in until("2.56")
    assert Version(2, 57) not in until("2.56")
