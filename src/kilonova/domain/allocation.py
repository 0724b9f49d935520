"""What a server uses of hosts: one allocation for each host that it is on, is coming to, or is leaving."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class AllocationRole(StrEnum):
    """What a host is to a server. Each role is held by one host at most, and one host may hold two (a resize in place)."""

    CURRENT = "current"  # the server's host: where it is built and runs
    INCOMING = "incoming"  # it is to go there: its machine may be in the making
    OUTGOING = "outgoing"  # it came from there: its machine is kept until somebody lets go


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one server takes of a host."""

    server_id: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    role: AllocationRole = AllocationRole.CURRENT
