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

    profile: Annotated[
        Literal["nova", "spreading", "packing"],
        msgspec.Meta(
            description="A ready mixture of weighers: as Nova's defaults, servers spread apart, or packed together."
        ),
    ] = "nova"
    enabled_filters: Annotated[tuple[str, ...], msgspec.Meta(description="Filters by name, in order.")] = FILTERS
    weighers: Annotated[
        dict[str, float] | None,
        msgspec.Meta(
            description="Weighers with their multipliers, in place of the profile's; below 0 packs rather than spreads."
        ),
    ] = None
    multipliers: Annotated[
        dict[str, float], msgspec.Meta(description="Multipliers that change some of the profile's, or add to them.")
    ] = {}
    alternates: Annotated[
        Count, msgspec.Meta(description="Further hosts handed out with each decision, should the first be taken.")
    ] = 4
    cache_mib: Annotated[
        Count, msgspec.Meta(description="Memory for what is kept of the shapes of requests that repeat, in MiB.")
    ] = 512
    max_instances_per_host: Annotated[Count, msgspec.Meta(description="What NumInstancesFilter allows.")] = 50
    max_io_ops_per_host: Annotated[Count, msgspec.Meta(description="What IoOpsFilter allows.")] = 8
    metrics: Annotated[
        dict[str, float], msgspec.Meta(description="Weights of the metrics that hosts report, for MetricsWeigher.")
    ] = {}
    isolated_images: Annotated[
        tuple[str, ...], msgspec.Meta(description="Images that IsolatedHostsFilter keeps to the isolated hosts.")
    ] = ()
    isolated_hosts: Annotated[tuple[str, ...], msgspec.Meta(description="Those hosts.")] = ()
    restrict_isolated_hosts_to_isolated_images: Annotated[
        bool, msgspec.Meta(description="Keep other images off them, too.")
    ] = True
    near_best: Annotated[
        Share,
        msgspec.Meta(
            description="Hosts whose score is within this share of the best count as equals, and chance picks."
        ),
    ] = 0.05
    refresh_s: Annotated[
        float,
        msgspec.Meta(gt=0, description="Seconds between two looks at the records, if nothing calls for one sooner."),
    ] = 5.0
    workers: Annotated[AtLeastOne, msgspec.Meta(description="Threads that decide.")] = 1

    @property
    def mixture(self) -> dict[str, float]:
        """Each weigher with its multiplier."""
        return (PROFILES[self.profile] if self.weighers is None else self.weighers) | self.multipliers
