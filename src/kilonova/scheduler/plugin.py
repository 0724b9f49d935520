"""
What a filter and a weigher are. Ours are in `filters/` and `weighers/`; others come by entry point (see `plugins.py`).

The rule that makes decisions fast: what a filter or weigher says of a host follows from the request's shape and that host's own
columns alone. So the answer for all hosts is kept while requests of one shape come (`shapes.py`), and when one host changes only
that host is asked about again. What reads more is marked: a `NamingFilter` names hosts, a `personal` weigher reads groups.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Floats, Positions
from kilonova.scheduler.fleet import Fleet
from kilonova.scheduler.settings import SchedulerSettings


class Filter(ABC):
    """Says which hosts may take a server. Pure: it reads the fleet and the request, keeps nothing and changes nothing."""

    name: ClassVar[str]

    @classmethod
    def made(cls, settings: SchedulerSettings) -> Self:  # noqa: ARG003 - for those who have options
        """One of it; who has options takes them from the settings."""
        return cls()

    @abstractmethod
    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        """True for each host that may; `fleet.everyone` itself when nothing is asked, which costs nothing."""

    @abstractmethod
    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        """Why these hosts, at least one, were removed: a clause for operators and users, such as `2 are disabled`."""

    @abstractmethod
    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        """What would have to be there for this one host to pass: the end of a sentence `host-7 lacks ...`."""

    def distance(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        """How far each host is from passing: 0 when it does, else above 0 and at most 1. Asked only when no host was found."""
        return (~self.mask(fleet, request)).astype(float)


class NamingFilter(Filter):
    """A filter that names hosts, of this one request or its group: the few it wants, or the few it does not."""

    def only(self, fleet: Fleet, request: SchedulingRequest) -> Positions | None:
        """The hosts that may, when they can be named."""
        return None

    def but(self, fleet: Fleet, request: SchedulingRequest) -> Positions | None:
        """The hosts that may not, when they can be named."""
        return None

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        passing = fleet.everyone
        only, but = self.only(fleet, request), self.but(fleet, request)
        if only is not None:
            passing = np.zeros(len(fleet), np.bool_)
            passing[only] = True
        if but is not None:
            passing = passing.copy()
            passing[but] = False
        return passing


class Weigher(ABC):
    """Says which of the hosts that may take a server should. Pure, as a filter is."""

    name: ClassVar[str]
    option: ClassVar[str] = ""  # the key in an aggregate's metadata that sets another multiplier for its hosts
    personal: ClassVar[bool] = False  # reads more of the fleet than each host's own columns
    reads_images: ClassVar[bool] = (
        False  # which images hosts have is read only while such a weigher counts: there are many
    )
    reads_request: ClassVar[bool] = True  # if not, its figures are worked out once for the requests of all shapes

    @classmethod
    def made(cls, settings: SchedulerSettings) -> Self:  # noqa: ARG003 - for those who have options
        """One of it; who has options takes them from the settings."""
        return cls()

    @abstractmethod
    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        """A figure for each host in any unit; more is better. The best of those that passed becomes 1, the worst 0."""

    def applies(self, fleet: Fleet, request: SchedulingRequest) -> bool:
        """Whether it has anything to say of this request; asked of personal ones only."""
        return True
