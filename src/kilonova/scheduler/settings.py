"""A scheduler's settings."""

from __future__ import annotations

import msgspec

# What Placement does before Nova's filters: the claim holds it in any case, so it cannot be switched off.
ALWAYS = ("ForcedHostFilter", "ExcludedHostsFilter", "AvailabilityZoneFilter", "ResourceFilter")
FILTERS = (
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
)
WEIGHERS = {"RAMWeigher": 1.0, "CPUWeigher": 1.0, "DiskWeigher": 1.0}


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Filters by name and in order, weighers with their multipliers (below 0 packs rather than spreads), and the pace."""

    enabled_filters: tuple[str, ...] = FILTERS
    weighers: dict[str, float] = msgspec.field(default_factory=lambda: dict(WEIGHERS))
    alternates: int = 4
    near_best: float = 0.05
    refresh_s: float = 5.0
    workers: int = 1
