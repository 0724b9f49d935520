"""
A server, as facts: what was asked of it, what its host last said of it, and which saga is at work on it.

What a user sees (`status`, `vm_state`, `task_state`) is not stored: `domain/status.py` computes it from these facts.
"""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum, StrEnum

import msgspec


class PowerState(IntEnum):
    """What the hypervisor says of the machine, in Nova's numbers."""

    NOSTATE = 0
    RUNNING = 1
    PAUSED = 3
    SHUTDOWN = 4
    CRASHED = 6
    SUSPENDED = 7


class Lifecycle(StrEnum):
    """How far the server's record has come. Only sagas move it; each arrow is one transaction."""

    BUILDING = "building"  # accepted; its boot saga has not ended
    BUILT = "built"  # was launched once
    FAILED = "failed"  # its boot ended badly, or an operation left it unusable; `fault` says why
    DELETED = "deleted"  # gone; the row stays for the record


class Intent(StrEnum):
    """What the user last asked the machine to be. Reconcilers push facts towards it, or it towards facts."""

    ACTIVE = "active"
    STOPPED = "stopped"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    DELETED = "deleted"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why a server is in ERROR: an HTTP-like code, a sentence for the user, details for the operator."""

    code: int
    message: str
    created_at: datetime
    details: str = ""


class FlavorSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The flavor as it was when the server was made; RAM and swap in MiB, disks in GiB."""

    id: str
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    ephemeral_gib: int = 0
    swap_mib: int = 0
    rxtx_factor: float = 1.0
    extra_specs: dict[str, str] = {}


class Server(msgspec.Struct, frozen=True):
    """
    One server's record. `number` is small and unique and makes the domain name `instance-%08x`.

    The fields are in the order of the table's columns, so that a row makes one as it is: by name costs lists five times as much.
    """

    id: str
    number: int
    project_id: str
    user_id: str
    name: str
    description: str | None
    hostname: str
    flavor: FlavorSnapshot
    image_id: str | None
    key_name: str | None
    metadata: dict[str, str]
    system_metadata: dict[str, str]  # image properties and the like, never shown as metadata
    availability_zone: str | None  # asked for; None: anywhere
    config_drive: bool
    user_data: str | None  # base64, as sent
    personality: dict[str, str]  # path -> base64 content, up to 2.56
    key_public: str | None  # the public key's text when the server was made
    admin_pass: str | None  # only until the guest has been given it
    access_ip_v4: str | None
    access_ip_v6: str | None
    disk_config: str  # MANUAL or AUTO
    locked: bool
    locked_reason: str | None
    tags: tuple[str, ...]
    trusted_certs: tuple[str, ...]
    hints: dict[str, str | list[str]]
    security_groups: tuple[str, ...]
    root_device: str
    reservation_id: str
    launch_index: int
    lifecycle: Lifecycle
    intent: Intent
    power_state: PowerState
    host: str | None
    node: str | None
    zone: str | None  # of the host it is on
    saga: str | None  # the kind of the live saga, e.g. "boot"; None: nothing at work
    saga_step: str | None
    progress: int
    generation: int  # raised with every command sent to a host
    fault: Fault | None
    created_at: datetime
    updated_at: datetime
    launched_at: datetime | None
    terminated_at: datetime | None
    deleted_at: datetime | None

    @property
    def instance_name(self) -> str:
        """The name of the machine at the hypervisor."""
        return f"instance-{self.number:08x}"
