"""What a simulation reports; docs/simulation.md says what each figure means. Shares lie between 0 and 1."""

from __future__ import annotations

import msgspec

from kilonova.simulation.measures import ByResource


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet at a moment, after all that happened up to it."""

    at_s: float  # since the first arrival
    servers: int
    failed: int  # placements so far
    hosts_in_use: int
    used: ByResource
    density: ByResource
    imbalance: ByResource
    fragmentation: dict[str, float]  # by flavor


class Peak(msgspec.Struct, frozen=True, kw_only=True):
    """The moment at which the fullest resource was fullest."""

    at_s: float
    servers: int
    hosts_in_use: int
    used: ByResource


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """Means of the samples, which are equally far apart."""

    servers: float
    hosts_in_use: float
    used: ByResource
    density: ByResource
    imbalance: ByResource
    fragmentation: dict[str, float]


class FailureReason(msgspec.Struct, frozen=True, kw_only=True):
    """Failed placements by the filter that removed the last hosts, with its words the first time."""

    filter: str
    failed: int
    example: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A placement that failed, as its user would be told."""

    at_s: float
    server: str
    flavor: str
    explanation: str


class DecisionTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Of one decision, on this machine: all else in a report follows from its input, and this does not."""

    p50_ms: float
    p99_ms: float
    worst_ms: float
    total_s: float


class PolicyReport(msgspec.Struct, frozen=True, kw_only=True):
    """How one policy fared."""

    policy: str
    about: str
    weighers: dict[str, float]
    near_best: float
    placed: int
    failed: int
    failed_share: float
    reasons: tuple[FailureReason, ...]
    failed_by_flavor: dict[str, int]
    first_failures: tuple[Failure, ...]
    peak: Peak
    mean: Mean
    decisions: DecisionTimes
    samples: tuple[Sample, ...]


class Flavor(msgspec.Struct, frozen=True, kw_only=True):
    """A flavor that fragmentation is measured for; RAM in MiB, disk in GiB."""

    name: str
    vcpus: int
    ram_mib: int
    disk_gib: int
    arrivals: int
    zone: str | None = None
    traits: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One workload over one fleet under several policies."""

    hosts: int
    room: dict[str, int]  # vcpus, ram (MiB), disk (GiB) that can be claimed
    arrivals: int
    span_s: float  # from the first arrival to the last
    seed: int
    flavors: tuple[Flavor, ...]  # the largest, then the most frequent
    policies: tuple[PolicyReport, ...]
