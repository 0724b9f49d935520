"""A scheduler's settings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

# What Placement does before Nova's filters: the claim holds it in any case, so it cannot be switched off.
ALWAYS = ("ForcedHostFilter", "ExcludedHostsFilter", "AvailabilityZoneFilter", "TraitsFilter", "ResourceFilter")
FILTERS = (
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
)
WEIGHERS = {
    "RAMWeigher": 1.0,
    "CPUWeigher": 1.0,
    "DiskWeigher": 1.0,
    "IoOpsWeigher": -1.0,
    "PCIWeigher": 1.0,
    "ServerGroupSoftAffinityWeigher": 1.0,
    "ServerGroupSoftAntiAffinityWeigher": 1.0,
    "BuildFailureWeigher": 1_000_000.0,
    "CrossCellWeigher": 1_000_000.0,
    "HypervisorVersionWeigher": 1.0,
    "NumInstancesWeigher": 0.0,
    "ImagePropertiesWeigher": 0.0,
    "MetricsWeigher": 1.0,
    "ImageLocalityWeigher": 0.0,
}
# Ready mixtures, by the name that `profile` has.
PROFILES = {
    "nova": WEIGHERS,
    "spreading": WEIGHERS | {"NumInstancesWeigher": -1.0},
    "packing": WEIGHERS | {"RAMWeigher": -1.0, "CPUWeigher": -1.0, "DiskWeigher": -1.0, "ImageLocalityWeigher": 0.5},
}

Share = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class SchedulerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Filters by name and in order, weighers with their multipliers (below 0 packs rather than spreads), and the pace.

    `profile` is a ready mixture of weighers; `multipliers` changes some of it or adds to it, `weighers` takes its place.
    Decodes from the table `[scheduler]` of a TOML file: a wrong value raises msgspec.ValidationError, which says where it is.
    """

    profile: Literal["nova", "spreading", "packing"] = "nova"
    enabled_filters: tuple[str, ...] = FILTERS
    weighers: dict[str, float] | None = None
    multipliers: dict[str, float] = {}
    alternates: Count = 4
    cache_mib: Count = 512  # for what is kept of the request shapes that repeat
    max_instances_per_host: Count = 50
    max_io_ops_per_host: Count = 8
    metrics: dict[str, float] = {}  # weights of metrics that hosts report among their free facts
    isolated_images: tuple[str, ...] = ()
    isolated_hosts: tuple[str, ...] = ()
    restrict_isolated_hosts_to_isolated_images: bool = True
    near_best: Share = 0.05
    refresh_s: Annotated[float, msgspec.Meta(gt=0)] = 5.0
    workers: AtLeastOne = 1

    @property
    def mixture(self) -> dict[str, float]:
        """Each weigher with its multiplier."""
        return (PROFILES[self.profile] if self.weighers is None else self.weighers) | self.multipliers
