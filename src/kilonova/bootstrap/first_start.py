"""What a cloud has before anybody can use it: accounts, the catalog, flavors and a network. Run at every start."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from kilonova.compute.first_start import ensure_flavors
from kilonova.identity.bootstrap import CatalogService, Credentials, admin_project, ensure_first_start
from kilonova.identity.service import Identity
from kilonova.network.defaults import DefaultNetwork, ensure_default
from kilonova.runtime import Runtime
from kilonova.store.schema import lock

CREDENTIALS_FILE = "credentials.json"
_LOCK = 0x6B696C70
_CATALOG = (
    CatalogService("identity", "keystone", "/identity/v3"),
    CatalogService("compute", "nova", "/compute/v2.1"),
    CatalogService("image", "glance", "/image"),
    CatalogService("network", "neutron", "/networking"),
    CatalogService("placement", "placement", "/placement"),
)


@dataclass(frozen=True, kw_only=True)
class FirstStart:
    """`base_url` is what the catalog's URLs begin with; `keep` is given the passwords made, once."""

    base_url: str
    network: DefaultNetwork
    keep: Callable[[Credentials], None]

    def __call__(self, runtime: Runtime, identity: Identity) -> bool:
        """Make what is missing. Says whether it was the first. Idempotent; of several processes at once, one does it."""
        with runtime.db.write() as tx:
            lock(tx.connection, _LOCK)
            made = ensure_first_start(tx, identity, self.base_url, _CATALOG)
            if made is None:
                return False  # what people have deleted since is not made again
            ensure_flavors(tx, runtime.clock.now())
            ensure_default(tx, self.network, admin_project(tx).id, ids=runtime.ids, now=runtime.clock.now())
            # Before the commit: a first start killed in between is a first start again.
            self.keep(made)
            return True


def write_credentials(path: Path, made: Credentials) -> None:
    """Keep the first passwords where only their owner can read them."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(made))
