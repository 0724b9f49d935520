"""Which key store a process has, by its settings."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

from kilonova.config.keys import KeysSection
from kilonova.domain.errors import Rejected
from kilonova.identity.key_store import KeyFile, KeyStore, PlainKeys
from kilonova.settings import KEY_FILE

_CREDENTIAL = "kilonova.keys"
_GROUP = "kilonova.key_stores"


def embedded_key_store(data_dir: Path) -> KeyStore:
    """A file of the cloud's own, made when it is first needed."""
    return KeyFile(data_dir / KEY_FILE, is_ours=True)


def fleet_key_store(section: KeysSection) -> KeyStore:
    """What the settings name. Raises Rejected for a store that is not installed."""
    if section.store != "file":
        found = next(iter(entry_points(group=_GROUP, name=section.store)), None)
        if found is None:
            raise Rejected(f"[keys] store: no package here has the entry point {section.store!r} of {_GROUP}.")
        store: KeyStore = found.load()()
        return store
    given = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/nonexistent")) / _CREDENTIAL
    path = Path(section.file) if section.file else given if given.is_file() else None
    return PlainKeys() if path is None else KeyFile(path, is_ours=False)
