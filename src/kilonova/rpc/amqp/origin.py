"""
Who a message is from.

RabbitMQ lets a message carry no `user_id` but that of the account that published it; so it is that one's, or it is absent and the
message is from nobody. Headers are the sender's own words. They are believed of an account of the control plane, and of no host:
that a message is replayed, and for whom.
"""

from __future__ import annotations

from typing import Any

from kilonova.domain.host_access import host_of
from kilonova.rpc.messages import Message

ON_BEHALF_OF = "on-behalf-of"


def verified(properties: dict[str, Any]) -> str:
    """The account that published a message, by the broker's word; empty for nobody's."""
    return str(properties.get("user_id") or "")


def is_ours(account: str) -> bool:
    """Whether this is an account of the control plane's."""
    return account != "" and host_of(account) is None


def origin(properties: dict[str, Any]) -> str:
    """The account that a message is from in the end: of one that was replayed, its first sender. Empty for nobody's."""
    sender = verified(properties)
    headers = properties.get("application_headers") or {}
    return str(headers.get(ON_BEHALF_OF, sender)) if is_ours(sender) else sender


def only_ours(sender: str, _message: Message) -> bool:
    """A host's gate: it takes the control plane's word and nobody else's. Fills `rpc.bus.Gate`."""
    return is_ours(sender)
