"""How many files and sockets this process may have open."""

from __future__ import annotations

import resource
from contextlib import suppress

_MOST = 1 << 16  # some programs that we start look at each one that they might have


def descriptor_limit() -> int:
    """How many."""
    now, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if now == resource.RLIM_INFINITY else now


def raise_descriptor_limit() -> None:
    """Let it be as many as this process may have."""
    now, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if now == resource.RLIM_INFINITY or now >= wanted:
        return
    with suppress(OSError):  # a unit may forbid the call, and then has LimitNOFILE
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
