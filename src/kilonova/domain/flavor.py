"""Flavors: the sizes servers come in."""

from __future__ import annotations

from datetime import datetime

import msgspec

from kilonova.domain.server import FlavorSnapshot


class Flavor(msgspec.Struct, frozen=True, kw_only=True):
    """One flavor; RAM and swap in MiB, disks in GiB."""

    id: str
    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    ephemeral_gib: int
    swap_mib: int
    rxtx_factor: float
    is_public: bool
    disabled: bool
    description: str | None
    extra_specs: dict[str, str]
    created_at: datetime
    updated_at: datetime | None

    def snapshot(self) -> FlavorSnapshot:
        """What a server keeps of it."""
        return FlavorSnapshot(
            id=self.id, name=self.name, vcpus=self.vcpus, ram_mib=self.ram_mib, disk_gib=self.disk_gib,
            ephemeral_gib=self.ephemeral_gib, swap_mib=self.swap_mib, rxtx_factor=self.rxtx_factor,
            extra_specs=self.extra_specs,
        )  # fmt: skip


class KeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """A user's public key; `type` is ssh or x509."""

    number: int
    user_id: str
    name: str
    type: str
    fingerprint: str
    public_key: str
    created_at: datetime
