"""The port to whoever knows the bus' users: a host that joins is given one of its own, with the least it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from kilonova.domain.errors import Conflict


class HostAccounts(Protocol):
    """Bus users of hosts, named by `domain.host_access.bus_user`. Everything may be done again."""

    def create(self, host: str) -> str:
        """Give the host a user with a new password; the bus URL that it connects with. Raises Unavailable, Conflict."""

    def remove(self, host: str) -> None:
        """Take the host's user away, and break its connections off. Raises Unavailable."""

    def allow(self, host: str) -> None:
        """Have the host's user be allowed just what this release says, whatever release made it. Raises Unavailable."""

    def silence(self, host: str) -> None:
        """Break the connections of the host's user off, and let it have none until `allow`. Raises Unavailable."""

    def bound_queues(self) -> None:
        """Have what may wait on the bus be bounded as this release says. Raises Unavailable."""

    def hosts(self) -> Sequence[str]:
        """The hosts that have a user. Raises Unavailable."""

    def lacking(self) -> Sequence[str]:
        """Those of them that lack what `allow` gives: a queue, which they may not make, or a voice. Raises Unavailable."""


class NoAccounts:
    """For a bus that gives no host an account: one inside one process, unless `why` and `next_step` say otherwise."""

    def __init__(
        self,
        why: str = "This cloud's bus is inside its one process, so no other host can join it.",
        next_step: str = "Run a fleet: docs/fleet.md says how.",
    ) -> None:
        self._why, self._next_step = why, next_step

    def create(self, host: str) -> str:
        """Raises Conflict: there are none here."""
        raise Conflict(self._why, next_step=self._next_step)

    def remove(self, host: str) -> None:
        """There is none."""

    def allow(self, host: str) -> None:
        """There is none."""

    def silence(self, host: str) -> None:
        """There is none."""

    def bound_queues(self) -> None:
        """There are none that others could fill."""

    def hosts(self) -> Sequence[str]:
        """None."""
        return ()

    def lacking(self) -> Sequence[str]:
        """None."""
        return ()
