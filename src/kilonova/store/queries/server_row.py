"""A row of `servers` as the domain's `Server`."""

from __future__ import annotations

from typing import Any

from kilonova.domain.server import Intent, Lifecycle, PowerState, Server


def server_of(row: Any) -> Server:
    """The struct of a whole row."""
    fields = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented row accessor
    fields["lifecycle"] = Lifecycle(fields["lifecycle"])
    fields["intent"] = Intent(fields["intent"])
    fields["power_state"] = PowerState(fields["power_state"])
    return Server(**fields)
