"""Microversions: reading them, comparing them, and the closed ranges in which something exists."""

from __future__ import annotations

import re
from typing import NamedTuple

from kilonova.domain.errors import NotAcceptable, Rejected

_FORM = re.compile(r"\A([1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})\Z")


class VersionOutOfRange(NotAcceptable):
    """406: the version asked for is well formed but not spoken here. `asked` and `spoken` go into some envelopes."""

    code = "not_acceptable.version"

    def __init__(self, asked: Version, spoken: VersionRange) -> None:
        super().__init__(
            f"Version {asked} is not supported by the API. Minimum is {spoken.first} and maximum is {spoken.last}.",
            next_step="Ask for a version between the two, or for 'latest'.",
        )
        self.asked, self.spoken = asked, spoken


class Version(NamedTuple):
    """One microversion; compares as numbers do part by part, so 2.9 < 2.10."""

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `2.73`. Raises Rejected (400) for anything else, `latest` included: see `negotiate`."""
        found = _FORM.match(text)
        if found is None:
            raise Rejected(
                f"API version string {text[:64]!r} is of invalid format. Must be of format MajorNum.MinorNum."
            )
        return cls(int(found[1]), int(found[2]))

    def next(self) -> Version:
        """The smallest version after this one."""
        return Version(self.major, self.minor + 1)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


class VersionRange(NamedTuple):
    """A closed range; None is an open end. `VersionRange()` holds every version."""

    first: Version | None = None
    last: Version | None = None

    def __contains__(self, version: object) -> bool:
        return (
            isinstance(version, tuple)
            and (self.first is None or self.first <= version)
            and (self.last is None or version <= self.last)
        )

    def overlaps(self, other: VersionRange) -> bool:
        """Whether some version is in both."""
        first = max((v for v in (self.first, other.first) if v is not None), default=None)
        last = min((v for v in (self.last, other.last) if v is not None), default=None)
        return first is None or last is None or first <= last

    def edges(self) -> tuple[Version, ...]:
        """The versions at which membership changes: the first inside, the first after."""
        opening = () if self.first is None else (self.first,)
        return opening if self.last is None else (*opening, self.last.next())


ALWAYS = VersionRange()
UNVERSIONED = Version(0, 0)
"""What a service without microversions speaks: every `since`, `until` must be absent there."""


def since(first: str) -> VersionRange:
    """From this version on."""
    return VersionRange(Version.parse(first), None)


def until(last: str) -> VersionRange:
    """Up to and including this version."""
    return VersionRange(None, Version.parse(last))


def between(first: str, last: str) -> VersionRange:
    """From the first up to and including the last."""
    return VersionRange(Version.parse(first), Version.parse(last))


def negotiate(asked: str | None, spoken: VersionRange) -> Version:
    """
    The version to answer in: `asked` is what followed the service's name in the header, None if it was absent.

    Absent means the oldest, as OpenStack has it. Raises Rejected (malformed) or VersionOutOfRange.
    """
    if spoken.first is None or spoken.last is None:
        return UNVERSIONED
    if asked is None:
        return spoken.first
    if asked == "latest":
        return spoken.last
    version = Version.parse(asked)
    if version not in spoken:
        raise VersionOutOfRange(version, spoken)
    return version
