"""Who a host is to the control plane: join tokens, a host's credential, what it was refused, and how bus users are named."""

from __future__ import annotations

import re
from datetime import datetime

import msgspec

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
_USER_PREFIX = "host."


class JoinToken(msgspec.Struct, frozen=True, kw_only=True):
    """A word that lets one host join, once, before it expires; `host` is the only name it is good for, None for any new one."""

    id: str
    host: str | None
    created_by: str | None
    created_at: datetime
    expires_at: datetime
    used_by: str | None
    used_at: datetime | None


class HostCredential(msgspec.Struct, frozen=True, kw_only=True):
    """What a host proves itself with. `generation` is raised each time it joins; of a revoked one nothing is taken."""

    host: str
    secret_hash: str
    generation: int
    joined_at: datetime
    revoked_at: datetime | None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """
    What somebody was refused, and why.

    The same from the same sender is one record: `times` counts, `about` is what the last of them named.
    """

    sender: str  # a bus user (`host.<name>`), or `address <ip>` for who had no name yet
    what: str  # the message's type, or what was asked of the API
    why: str
    about: str
    times: int
    first_at: datetime
    last_at: datetime


def is_host_name(text: str) -> bool:
    """Whether a host may be called so: letters, digits, dots and hyphens, 63 at most, no dot or hyphen at either end."""
    return _HOST_NAME.fullmatch(text) is not None


def bus_user(host: str) -> str:
    """The bus user that a host's agent speaks as."""
    return _USER_PREFIX + host


def host_of(user: str) -> str | None:
    """The host whose bus user this is; None for one of the control plane's."""
    return user.removeprefix(_USER_PREFIX) if user.startswith(_USER_PREFIX) else None
