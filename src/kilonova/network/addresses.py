"""What a list of servers shows of their networks, in one statement for any number of servers."""

from __future__ import annotations

from collections.abc import Sequence

from kilonova.domain.network import ServerAddress
from kilonova.store.database import Tx
from kilonova.store.queries import ports


def for_servers(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[ServerAddress]]:
    """Each server's fixed addresses in the order of its interfaces; a server without any has an empty list."""
    return ports.addresses(tx, server_ids) if server_ids else {}


def group_names(tx: Tx, server_ids: Sequence[str]) -> dict[str, list[str]]:
    """The names of the security groups of each server's ports."""
    return ports.group_names(tx, server_ids) if server_ids else {}
