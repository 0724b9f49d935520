"""A row of `servers` as the domain's `Server`."""

from __future__ import annotations

from typing import Any

from kilonova.domain.server import Intent, Lifecycle, PowerState, Server
from kilonova.store.tables.compute import servers

_NAMES = tuple(servers.c.keys())
_LIFECYCLES = {one.value: one for one in Lifecycle}
_INTENTS = {one.value: one for one in Intent}
_POWER_STATES = {one.value: one for one in PowerState}


def server_of(row: Any) -> Server:
    """The struct of a whole row, its columns in the table's order. A list reads a thousand: this is on its hot path."""
    fields = dict(zip(_NAMES, row, strict=True))
    fields["lifecycle"] = _LIFECYCLES[fields["lifecycle"]]
    fields["intent"] = _INTENTS[fields["intent"]]
    fields["power_state"] = _POWER_STATES[fields["power_state"]]
    return Server(**fields)
