"""What the compute service has before anybody asks: flavors. Its quotas are built in (`store/queries/quotas.py`)."""

from __future__ import annotations

from datetime import datetime

from kilonova.domain.flavor import Flavor
from kilonova.store.database import Tx
from kilonova.store.queries import flavors

# id, name, vcpus, RAM in MiB, disk in GiB: the first for guests of a few megabytes, then the sizes everybody knows.
_FLAVORS = (
    ("42", "m1.nano", 1, 192, 1),
    ("84", "m1.micro", 1, 256, 1),
    ("1", "m1.tiny", 1, 512, 1),
    ("2", "m1.small", 1, 2048, 20),
    ("3", "m1.medium", 2, 4096, 40),
    ("4", "m1.large", 4, 8192, 80),
    ("5", "m1.xlarge", 8, 16384, 160),
)


def ensure_flavors(tx: Tx, now: datetime) -> None:
    """Make the default flavors in a cloud that has none."""
    if flavors.any_at_all(tx):
        return
    for ident, name, vcpus, ram_mib, disk_gib in _FLAVORS:
        flavors.add(
            tx,
            Flavor(
                id=ident, name=name, vcpus=vcpus, ram_mib=ram_mib, disk_gib=disk_gib, ephemeral_gib=0, swap_mib=0,
                rxtx_factor=1.0, is_public=True, disabled=False, description=None, extra_specs={}, created_at=now,
                updated_at=None,
            ),
        )  # fmt: skip
