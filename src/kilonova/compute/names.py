"""Names of servers and of the machines in them."""

from __future__ import annotations

import re
import unicodedata

_MAX_LABEL = 63
_NOT_IN_A_LABEL = re.compile(r"[^a-z0-9-]+")


def server_name(name: str, index: int, count: int) -> str:
    """The name of server `index` of `count` made by one request: numbered from 1 when there are several."""
    return name if count == 1 else f"{name}-{index + 1}"


def host_label(name: str, server_id: str) -> str:
    """
    A host name made from a display name: at most 63 lower-case ASCII letters, digits and hyphens.

    `server-<id>` when nothing of the name is left.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    label = _NOT_IN_A_LABEL.sub("-", re.sub(r"[ _.]", "-", plain)).strip("-")[:_MAX_LABEL].strip("-")
    return label or f"server-{server_id}"
