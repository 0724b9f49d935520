"""What a filter and a weigher are. Ours are in `filters/` and `weighers/`; others come by entry point (see `plugins.py`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Floats, Positions
from kilonova.scheduler.fleet import Fleet


class Filter(ABC):
    """Says which hosts may take a server. Pure: it reads the fleet and the request, keeps nothing and changes nothing."""

    name: ClassVar[str]

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


class Weigher(ABC):
    """Says which of the hosts that may take a server should. Pure, as a filter is."""

    name: ClassVar[str]

    @abstractmethod
    def score(self, fleet: Fleet, request: SchedulingRequest) -> Floats:
        """A figure for each host in any unit; more is better. The best of those that passed becomes 1, the worst 0."""
