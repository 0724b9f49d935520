"""Messages as people are shown them: without what is secret in them."""

from __future__ import annotations

from typing import Any

import msgspec

from kilonova.domain.machine import GuestSecrets

GUEST_SECRETS = GuestSecrets.__struct_fields__
HIDDEN = "(not shown)"


def without_secrets(body: str) -> str:
    """A message's JSON with its guest's secrets left out; what is no JSON is left out whole where it names one."""
    try:
        read = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError):
        return HIDDEN if any(name in body for name in GUEST_SECRETS) else body
    if not any(name in body for name in GUEST_SECRETS):
        return body
    return msgspec.json.encode(_hidden(read)).decode()


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: HIDDEN if name in GUEST_SECRETS and held else _hidden(held) for name, held in value.items()}
    return [_hidden(one) for one in value] if isinstance(value, list) else value
