"""
The entries `kilonova` (the administrator) and `kilonova-demo` (a tenant) in clouds.yaml files.

The data directory has a file with just these two. They are merged into the user's own, where all that is not ours stays as it is
(its comments excepted: YAML is read and written as data), in one rename, readable by its owner alone.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilonova.cli.accounts import read_clouds
from kilonova.cli.errors import CliError

ADMIN, DEMO = "kilonova", "kilonova-demo"


def cloud_entries(base_url: str, passwords: Mapping[str, str]) -> dict[str, Any]:
    """Both entries. `passwords` by user name: admin, demo."""
    return {ADMIN: _entry(base_url, "admin", passwords["admin"]), DEMO: _entry(base_url, "demo", passwords["demo"])}


def merge(path: Path, entries: Mapping[str, Any]) -> list[str]:
    """
    Have these entries in the file; gives the names of those that led to another cloud before.

    Raises CliError when the file cannot be read or written; then it is as it was.
    """
    document = _document(path)
    clouds = read_clouds(path)
    moved = [name for name, entry in entries.items() if name in clouds and _auth_url(clouds[name]) != _auth_url(entry)]
    if any(clouds.get(name) != entry for name, entry in entries.items()):
        _write(path, document | {"clouds": clouds | dict(entries)})
    return moved


def remove(path: Path, base_url: str) -> bool:
    """Take out our entries, if they are of the cloud at `base_url`; a file that would be empty goes. True if anything changed."""
    clouds = read_clouds(path)
    ours = [n for n in (ADMIN, DEMO) if str(_auth_url(clouds.get(n))).startswith(f"{base_url}/")]
    if not ours:
        return False
    rest = {name: entry for name, entry in clouds.items() if name not in ours}
    document = _document(path) | {"clouds": rest}
    if rest or len(document) > 1:
        _write(path, document)
    else:
        path.unlink()
    return True


def write_private(path: Path, text: str) -> None:
    """Write a file in one rename, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.resolve()  # a link stays a link
    descriptor, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600 by contract
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(part).replace(target)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _entry(base_url: str, name: str, password: str) -> dict[str, Any]:
    domain = {"user_domain_id": "default", "project_domain_id": "default"}
    auth = {
        "auth_url": f"{base_url}/identity/v3",
        "username": name,
        "password": password,
        "project_name": name,
    } | domain
    return {"auth": auth, "region_name": "RegionOne", "interface": "public", "identity_api_version": 3}


def _auth_url(entry: Any) -> Any:
    auth = entry.get("auth") if isinstance(entry, dict) else None
    return auth.get("auth_url") if isinstance(auth, dict) else None


def _document(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - slow to import

    read_clouds(path)  # refuses what is not a clouds.yaml
    return dict(yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    import yaml  # noqa: PLC0415 - slow to import

    try:
        write_private(path, yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))
    except OSError as refused:
        raise CliError(f"{path} cannot be written: {refused.strerror}") from refused
