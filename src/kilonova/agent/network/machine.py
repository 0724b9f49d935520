"""The name servers of the machine itself, as its resolv.conf and systemd-resolved name them."""

from __future__ import annotations

from pathlib import Path

from kilonova.agent.network.conflicts import Address, resolvers_in, upstream_file

_RESOLV_CONF = Path("/etc/resolv.conf")
_RESOLVED_CONF = Path("/run/systemd/resolve/resolv.conf")


def resolvers() -> list[Address]:
    """Those that the machine asks."""
    return resolvers_in(_text(_RESOLV_CONF))


def upstream() -> Path | None:
    """The file with those that a gateway can ask, if they are others."""
    return upstream_file(_text(_RESOLV_CONF), _RESOLVED_CONF)


def upstream_resolvers() -> list[Address]:
    """Those that a gateway can ask."""
    return resolvers_in(_text(upstream() or _RESOLV_CONF))


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""
