"""
What a guest may read of itself has changed: its host must hear of it.

That is written down in the transaction that changes it, and a reconciler (`reconcilers/guest_data.py`) tells the host until the
host has confirmed it. A server under way, or never launched, is told when it is at rest.
"""

from __future__ import annotations

from functools import partial

from kilonova.rpc.bus import Bus
from kilonova.rpc.messages import GuestDataChanged
from kilonova.store.database import Tx
from kilonova.store.queries import guest_data


def guest_data_changed(tx: Tx, bus: Bus, server_id: str) -> None:
    """Note it, and wake who tells the host once this is committed."""
    guest_data.mark(tx, server_id)
    tx.after_commit(partial(bus.cast, "conductor", GuestDataChanged()))
