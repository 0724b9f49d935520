"""The tables, a module an aggregate. `metadata` knows them all once this package is imported."""

from kilonova.store.tables import (
    compute,
    epochs,
    events,
    host_access,
    hosts,
    identity,
    image,
    network,
    placement,
    sagas,
    server_specs,
)
from kilonova.store.tables import vacuum as _vacuum  # noqa: F401 - it listens for the creation of tables
from kilonova.store.tables.base import metadata

__all__ = [
    "compute",
    "epochs",
    "events",
    "host_access",
    "hosts",
    "identity",
    "image",
    "metadata",
    "network",
    "placement",
    "sagas",
    "server_specs",
]
