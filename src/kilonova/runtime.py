"""What every part of the control plane stands on: made once a process by bootstrap, and by tests in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kilonova.domain.clock import Clock, Ids
from kilonova.rpc.bus import Bus
from kilonova.store.database import Database


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """
    `name` is the process' own among all of its kind: leases and service records are held under it. `epoch` names that of the
    records, to be read before anything is said to hosts; "" where nothing is ever restored.
    """

    db: Database
    bus: Bus
    clock: Clock
    ids: Ids
    epoch: Callable[[], str] = str
    name: str = "kilonova"
