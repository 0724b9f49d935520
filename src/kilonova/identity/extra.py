"""Attributes of users and projects that we do not know: kept as Keystone keeps them, within a bound."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kilonova.domain.errors import Rejected

MAX_BYTES = 16 * 1024


def merged(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """The old attributes with the new ones over them; null takes one away. Raises Rejected when they grow too large."""
    found = {key: value for key, value in {**old, **new}.items() if value is not None}
    if len(msgspec.json.encode(found)) > MAX_BYTES:
        raise Rejected(f"The additional attributes are larger than the {MAX_BYTES} bytes that are kept.")
    return found
