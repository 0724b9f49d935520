"""What every process of the control plane stands on."""

from __future__ import annotations

from dataclasses import dataclass

from kilonova.domain.clock import Clock, Ids
from kilonova.faults import Faults
from kilonova.rpc.bus import Bus
from kilonova.store.database import Database
from kilonova.store.epoch import Epoch


@dataclass(frozen=True, kw_only=True)
class Ground:
    """
    `name` is the process' own among all of its kind: leases and service records are held under it. `epoch` is the database's, to
    be read before anything is said to hosts.
    """

    db: Database
    epoch: Epoch
    bus: Bus
    clock: Clock
    ids: Ids
    faults: Faults
    name: str
