"""
What every filter and weigher should say, in plain Python and a host at a time: no columns, and no import of the product.

`FILTERS` and `WEIGHERS` have each by name: whether a host may take a server, and the figure that it is ranked by.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from math import floor
from typing import Any

from tests.unit.scheduler.building import NOW
from tests.unit.scheduler.oracle_languages import query, spec_holds
from tests.unit.scheduler.worlds import World

Host = SchedulingRequest = Any  # the product's structs, read by their fields alone
_ALIVE_WITHIN_S = 60
May = Callable[[World, Host, SchedulingRequest], bool]
Figure = Callable[[World, Host, SchedulingRequest], float]


def resources(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    facts = host.facts
    rooms = (
        wanted.vcpus <= facts.vcpus,
        wanted.ram_mib <= facts.ram_mib,
        host.vcpus_used + wanted.vcpus <= facts.vcpus * host.cpu_ratio,
        host.ram_mib_used + wanted.ram_mib <= (facts.ram_mib - host.ram_mib_reserved) * host.ram_ratio,
        host.disk_gib_used + wanted.disk_gib <= (facts.disk_gib - host.disk_gib_reserved) * host.disk_ratio,
    )
    return all(rooms)


def is_heard_of(host: Host) -> bool:
    if host.forced_down or host.seen_at is None:
        return False
    return (NOW - host.seen_at).total_seconds() <= _ALIVE_WITHIN_S


def traits(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    has = {*host.facts.traits, *world.said.get(host.id, ())}
    asked = [*wanted.extra_specs.items(), *wanted.image_properties.items()]
    features = {
        ("hw:tpm_version", "2.0"): "COMPUTE_SECURITY_TPM_2_0", ("hw_sound_model", "virtio"): "COMPUTE_SOUND_MODEL_VIRTIO",
    }  # fmt: skip
    needed = {features[said] for said in asked if said in features}
    return needed <= has and all((k[6:] in has) == (v == "required") for k, v in asked if k.startswith("trait:"))


def capabilities(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    facts = host.facts
    known: dict[str, Any] = {
        "hypervisor_type": facts.hypervisor_type, "hypervisor_version": facts.hypervisor_version,
        "vcpus_total": facts.vcpus, "cpu_info:arch": facts.arch, "cpu_info:features": list(facts.cpu_features),
        "cpu_info:topology:cores": facts.cpu_topology.get("cores"),
    }  # fmt: skip
    known |= facts.stats | {f"stats:{name}": value for name, value in facts.stats.items()}
    for key, value in wanted.extra_specs.items():
        if key.startswith("capabilities:"):
            have = known.get(key.removeprefix("capabilities:"))
            if have is None or not spec_holds(str(have), value):
                return False
        elif ":" not in key and known.get(key) is not None and not spec_holds(str(known[key]), value):
            return False
    return True


def image_properties(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    def asked(*names: str) -> str:
        return next((wanted.image_properties[name].lower() for name in names if name in wanted.image_properties), "")

    arch = {"amd64": "x86_64", "i386": "i686", "arm64": "aarch64"}.get(asked("hw_architecture", "architecture"))
    arch = arch or asked("hw_architecture", "architecture")
    runs = {"x86_64": ("", "x86_64", "i686"), "aarch64": ("", "aarch64")}[host.facts.arch]
    kinds = {"KVM": ("", "kvm", "qemu"), "QEMU": ("", "qemu"), "kilonova-sim": ("", "kvm", "qemu")}
    version = {6_002_000: (6, 2, 0), 8_002_001: (8, 2, 1)}[host.facts.hypervisor_version]
    meets = {
        "": True, ">=8.2,<9": version == (8, 2, 1), "<8": version < (8,), "==6.2": version == (6, 2, 0),
        "6.2.0": version == (6, 2, 0), "newest": False, "!=8.2.1": version != (8, 2, 1),
    }  # fmt: skip
    return (
        arch in runs
        and asked("img_hv_type", "hypervisor_type") in kinds[host.facts.hypervisor_type]
        and asked("hw_vm_mode", "vm_mode") in ("", "hvm", "hv")
        and meets[asked("img_hv_requested_version")]
    )


def group(world: World, wanted: SchedulingRequest, policy: str) -> dict[str, int] | None:
    """How many servers of the request's group each host has, if the group is of this policy."""
    named = wanted.hints.get("group", "")
    return world.groups[policy] if policy in (named, *named) else None


def anti_affinity(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    held = group(world, wanted, "anti-affinity")
    return held is None or held.get(host.name, 0) < world.max_per_host


def affinity(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    held = group(world, wanted, "affinity") or {}
    there = {name for name in held if any(name == one.name for one in world.hosts)}
    return not there or host.name in there


def numa(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    def asked(name: str) -> str:
        return wanted.image_properties.get(f"hw_{name}") or wanted.extra_specs.get(f"hw:{name}", "")

    known = asked("cpu_policy") in ("", "shared") and asked("mem_page_size") in ("", "any", "small")
    return known and host.facts.cpu_topology.get("cells", 0) >= int(asked("numa_nodes") or 0)


def near(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    if "build_near_host_ip" not in wanted.hints:
        return True
    prefix = str(wanted.hints.get("cidr", "24")).lstrip("/")
    try:
        network = ip_network(f"{wanted.hints['build_near_host_ip']}/{prefix}", strict=False)
        return ip_address(host.facts.address) in network
    except ValueError:
        return False


def words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")}


def aggregate_specs(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    for key, value in wanted.extra_specs.items():
        plain = key.removeprefix("aggregate_instance_extra_specs:")
        if ":" not in plain:
            said = [word for one in world.metadata(host) if plain in one for word in words(one[plain])]
            if not any(spec_holds(word, value) for word in said):
                return False
    return True


def aggregate_images(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    for key, value in wanted.image_properties.items():
        said = [words(one[key]) for one in world.metadata(host) if key in one]
        if said and value not in set.union(*said):
            return False
    return True


def aggregate_projects(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    said = [words(v) for one in world.metadata(host) for k, v in one.items() if k.startswith("filter_tenant_id")]
    return not said or wanted.project_id in set.union(*said)


def aggregate_flavors(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    said = [words(one["instance_type"]) for one in world.metadata(host) if "instance_type" in one]
    return not said or wanted.flavor_name in set.union(*said)


def own_aggregates(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    def names_it(one: dict[str, str]) -> bool:
        return any(k.startswith("filter_tenant_id") and wanted.project_id in words(v) for k, v in one.items())

    owned = {other.name for other in world.hosts if any(names_it(one) for one in world.metadata(other))}
    return not owned or host.name in owned


def isolated_aggregates(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    asked = {k for k, v in [*wanted.extra_specs.items(), *wanted.image_properties.items()] if v == "required"}
    return all(
        k in asked for one in world.metadata(host) for k, v in one.items() if k[:6] == "trait:" and v == "required"
    )


def isolated(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    settings = world.settings
    is_image, is_host = wanted.image_id in settings.isolated_images, host.name in settings.isolated_hosts
    return is_image == is_host or (not is_image and not settings.restrict_isolated_hosts_to_isolated_images)


def cap(world: World, host: Host, key: str) -> int:
    """The least that the host's aggregates say, or what the settings do."""
    said = [int(one[key]) for one in world.metadata(host) if one.get(key, "").isdecimal()]
    return min(said, default=getattr(world.settings, key))


def metric(host: Host, name: str) -> float | None:
    try:
        return float(host.facts.stats.get(name, ""))
    except ValueError:
        return None


FILTERS: dict[str, May] = {
    "ForcedHostFilter": lambda w, h, r: r.forced_host in (None, h.name),
    "ExcludedHostsFilter": lambda w, h, r: h.name not in r.excluded_hosts,
    "AvailabilityZoneFilter": lambda w, h, r: r.availability_zone in (None, h.zone),
    "TraitsFilter": traits,
    "ResourceFilter": resources,
    "ComputeFilter": lambda w, h, r: not h.disabled and is_heard_of(h),
    "ComputeCapabilitiesFilter": capabilities,
    "ImagePropertiesFilter": image_properties,
    "ServerGroupAntiAffinityFilter": anti_affinity,
    "ServerGroupAffinityFilter": affinity,
    "NUMATopologyFilter": numa,
    "PciPassthroughFilter": lambda w, h, r: "pci_passthrough:alias" not in r.extra_specs,
    "SameHostFilter": lambda w, h, r: "same_host" not in r.hints or h.name in r.hosts_of_hints.get("same_host", ()),
    "DifferentHostFilter": lambda w, h, r: (
        "different_host" not in r.hints or h.name not in r.hosts_of_hints.get("different_host", ())
    ),
    "SimpleCIDRAffinityFilter": near,
    "JsonFilter": query,
    "AllHostsFilter": lambda w, h, r: True,
    "AggregateInstanceExtraSpecsFilter": aggregate_specs,
    "AggregateImagePropertiesIsolation": aggregate_images,
    "AggregateMultiTenancyIsolation": aggregate_projects,
    "AggregateTypeAffinityFilter": aggregate_flavors,
    "IsolatedHostsFilter": isolated,
    "IsolatedAggregatesFilter": isolated_aggregates,
    "ProjectAggregatesFilter": own_aggregates,
    "NumInstancesFilter": lambda w, h, r: h.servers < w.settings.max_instances_per_host,
    "AggregateNumInstancesFilter": lambda w, h, r: h.servers < cap(w, h, "max_instances_per_host"),
    "IoOpsFilter": lambda w, h, r: w.building.get(h.name, 0) < w.settings.max_io_ops_per_host,
    "AggregateIoOpsFilter": lambda w, h, r: w.building.get(h.name, 0) < cap(w, h, "max_io_ops_per_host"),
    "MetricsFilter": lambda w, h, r: all(metric(h, name) is not None for name in w.settings.metrics),
}
WEIGHERS: dict[str, Figure] = {
    "RAMWeigher": lambda w, h, r: h.facts.ram_mib - h.ram_mib_used,
    "CPUWeigher": lambda w, h, r: floor(h.facts.vcpus * h.cpu_ratio) - h.vcpus_used,
    "DiskWeigher": lambda w, h, r: h.facts.disk_gib - h.disk_gib_used,
    "IoOpsWeigher": lambda w, h, r: w.building.get(h.name, 0),
    "NumInstancesWeigher": lambda w, h, r: h.servers,
    "PCIWeigher": lambda w, h, r: 0,
    "ServerGroupSoftAffinityWeigher": lambda w, h, r: (group(w, r, "soft-affinity") or {}).get(h.name, 0),
    "ServerGroupSoftAntiAffinityWeigher": lambda w, h, r: -(group(w, r, "soft-anti-affinity") or {}).get(h.name, 0),
    "BuildFailureWeigher": lambda w, h, r: -w.failures.get(h.name, 0),
    "CrossCellWeigher": lambda w, h, r: 0,
    "HypervisorVersionWeigher": lambda w, h, r: h.facts.hypervisor_version,
    "ImagePropertiesWeigher": lambda w, h, r: (h.name, r.image_id) in w.images,
    "MetricsWeigher": lambda w, h, r: sum(by * (metric(h, name) or 0) for name, by in w.settings.metrics.items()),
    "ImageLocalityWeigher": lambda w, h, r: (h.name, r.image_id) in w.images,
}
OPTIONS = {
    "RAMWeigher": "ram", "CPUWeigher": "cpu", "DiskWeigher": "disk", "IoOpsWeigher": "io_ops",
    "NumInstancesWeigher": "num_instances", "PCIWeigher": "pci", "BuildFailureWeigher": "build_failure",
    "ServerGroupSoftAffinityWeigher": "soft_affinity", "ServerGroupSoftAntiAffinityWeigher": "soft_anti_affinity",
    "CrossCellWeigher": "cross_cell_move", "HypervisorVersionWeigher": "hypervisor_version",
    "ImagePropertiesWeigher": "image_props", "MetricsWeigher": "metrics", "ImageLocalityWeigher": "image_locality",
}  # fmt: skip


def passing(world: World, names: list[str], wanted: SchedulingRequest) -> list[Host]:
    """The hosts that all of these filters let pass."""
    return [host for host in world.hosts if all(FILTERS[name](world, host, wanted) for name in names)]


def scores(world: World, mixture: dict[str, float], wanted: SchedulingRequest, among: list[Host]) -> dict[str, float]:
    """Each host's score among these: each weigher from 0 for the worst to its multiplier for the best."""
    total = {host.name: 0.0 for host in among}
    for name, multiplier in mixture.items():
        figures = {host.name: WEIGHERS[name](world, host, wanted) for host in among}
        low, high = min(figures.values()), max(figures.values())
        for host in among if high > low else ():
            by = _multiplier(world, host, f"{OPTIONS[name]}_weight_multiplier", multiplier)
            total[host.name] += by * (figures[host.name] - low) / (high - low)
    return total


def _multiplier(world: World, host: Host, key: str, default: float) -> float:
    said = []
    for one in world.metadata(host):
        try:
            said.append(float(one.get(key, "")))
        except ValueError:
            continue
    return min(said, default=default)
