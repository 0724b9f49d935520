"""Random worlds for a scheduler: hosts and all that surrounds them, of few enough words that filters find something to say."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import Host
from kilonova.scheduler.fleet import Fleet, Group, fleet_of
from kilonova.scheduler.host_context import context_columns
from kilonova.scheduler.settings import SchedulerSettings
from kilonova.store.queries.fleet import HostContext
from tests.unit.scheduler.building import NOW, host, request

MOST_HOSTS = 8
HOSTS = [f"host-{i}" for i in range(MOST_HOSTS)]
IMAGES = ["image-a", "image-b"]
TRAITS = ["HW_AES", "CUSTOM_GOLD", "COMPUTE_SECURITY_TPM_2_0", "COMPUTE_SOUND_MODEL_VIRTIO"]
POLICIES = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")
SETTINGS = SchedulerSettings(
    max_instances_per_host=3, max_io_ops_per_host=2, metrics={"watts": -2.0, "noise": 0.5},
    isolated_images=("image-a",), isolated_hosts=("host-0", "host-3"),
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """Hosts, and what is known of them besides; by host name where not said otherwise."""

    hosts: tuple[Host, ...]
    aggregates: tuple[Aggregate, ...] = ()
    images: frozenset[tuple[str, str]] = frozenset()  # (host, image id)
    building: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    groups: dict[str, dict[str, int]] = field(default_factory=dict)  # by policy, which is its group's name too
    said: dict[str, list[str]] = field(default_factory=dict)  # traits, by host id
    settings: SchedulerSettings = SETTINGS
    max_per_host: int = 2

    def metadata(self, of: Host) -> list[dict[str, str]]:
        """What each aggregate of a host says."""
        return [one.metadata for one in self.aggregates if of.name in one.hosts]

    def fleet(self) -> Fleet:
        """The world as columns."""
        bare = fleet_of(self.hosts, NOW)
        read = HostContext(
            aggregates=self.aggregates, groups={}, in_groups={}, images=self.images, building=self.building,
            failures=self.failures,
        )  # fmt: skip
        place = bare.roster.by_name
        groups = {
            policy: Group(
                policy,
                np.array([place[name] for name in counts if name in place], np.intp),
                np.array([count for name, count in counts.items() if name in place], np.int64),
                self.max_per_host,
            )
            for policy, counts in self.groups.items()
        }
        return fleet_of(self.hosts, NOW, groups, context_columns(bare.roster, read), self.said)


def _some(words: list[str], **how: int) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), unique=True, **how).map(tuple)


def _said(**values: list[str]) -> st.SearchStrategy[dict[str, str]]:
    """Some of these keys, each with one of its values."""
    keys = st.lists(st.sampled_from(sorted(values)), unique=True, max_size=5)
    return keys.flatmap(lambda chosen: st.fixed_dictionaries({key: st.sampled_from(values[key]) for key in chosen}))


def _counts(most: int) -> st.SearchStrategy[dict[str, int]]:
    return st.dictionaries(st.sampled_from([*HOSTS, "gone"]), st.integers(1, most), max_size=4)


_HOST: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "zone": st.sampled_from(["nova", "az1"]),
        "vcpus": st.integers(1, 4), "ram_mib": st.sampled_from([1024, 2048, 4096]), "disk_gib": st.sampled_from([20, 40]),
        "vcpus_used": st.integers(0, 8), "ram_mib_used": st.integers(0, 4096), "disk_gib_used": st.integers(0, 40),
        "ram_mib_reserved": st.sampled_from([0, 100]), "disk_gib_reserved": st.sampled_from([0, 5]),
        "cpu_ratio": st.sampled_from([1.0, 1.3, 4.0]), "ram_ratio": st.sampled_from([0.9, 1.0, 1.5]),
        "disk_ratio": st.sampled_from([1.0, 1.1]),
        "servers": st.integers(0, 4), "disabled": st.booleans(), "forced_down": st.booleans(),
        "seen_at": st.sampled_from([None, NOW, NOW - timedelta(seconds=60), NOW - timedelta(seconds=61)]),
        "arch": st.sampled_from(["x86_64", "aarch64"]), "address": st.sampled_from(["", "10.0.0.5", "10.0.1.5", "fd00::5"]),
        "hypervisor_type": st.sampled_from(["KVM", "QEMU", "kilonova-sim"]),
        "hypervisor_version": st.sampled_from([6_002_000, 8_002_001]),
        "cpu_topology": st.sampled_from([{}, {"cells": 1, "cores": 4}, {"cells": 2, "cores": 8}]),
        "cpu_features": _some(["aes", "avx"]), "traits": _some(TRAITS),
        "stats": _said(rack=["r1", "r2"], watts=["90", "120.5", "many"], noise=["3"], ssd=["true"]),
    }
)  # fmt: skip
_METADATA = _said(
    ssd=["true", "true, false", "no"], rack=["r1", "r1,r2"], cores=["4", "16"], filter_tenant_id=["project", "other, project"],
    filter_tenant_id_2=["other"], instance_type=["m1.small", "m1.tiny,m1.small", "m1.large"],
    hw_architecture=["x86_64", "x86_64, aarch64"], os_distro=["debian"], max_instances_per_host=["1", "4", "many"],
    max_io_ops_per_host=["1", "5"], ram_weight_multiplier=["-1.5", "2", "heavy"], cpu_weight_multiplier=["0", "3"],
    soft_affinity_weight_multiplier=["5"], num_instances_weight_multiplier=["1"],
    image_locality_weight_multiplier=["0.5"], **{"trait:CUSTOM_GOLD": ["required", "preferred"], "trait:HW_AES": ["required"]},
)  # fmt: skip
_SPECS = _said(
    ssd=["true", "s== true", "<or> no <or> maybe", "<in> tru"], rack=["r1", "s>= r2", "s!= r1"],
    cores=[">= 8", "= 4", "== 4.0", "!= 4", "<= 3", ">="], **{
        "aggregate_instance_extra_specs:cores": ["4", ">= 5"], "capabilities:rack": ["r1", "<or> r1 <or> r7"],
        "capabilities:hypervisor_version": [">= 8000000", "<= x"], "capabilities:cpu_info:arch": ["s== x86_64", "s< b"],
        "capabilities:cpu_info:topology:cores": ["= 8", "4"], "capabilities:cpu_info:features": ["<all-in> aes avx"],
        "capabilities:stats:watts": ["<= 100"], "capabilities:vcpus_total": ["= 3"], "hypervisor_type": ["KVM"],
        "trait:HW_AES": ["required", "forbidden"], "trait:CUSTOM_GOLD": ["required"], "trait:NOBODY": ["forbidden"],
        "hw:numa_nodes": ["1", "2"], "hw:cpu_policy": ["shared", "dedicated"], "hw:mem_page_size": ["large", "small"],
        "pci_passthrough:alias": ["gpu:1"], "hw:tpm_version": ["2.0"],
    },
)  # fmt: skip
_PROPERTIES = _said(
    hw_architecture=["x86_64", "AMD64", "i386", "aarch64"], architecture=["arm64"], img_hv_type=["kvm", "QEMU", "xen"],
    hypervisor_type=["kvm"], hw_vm_mode=["hvm", "hv", "xen"], os_distro=["debian", "arch"], hw_numa_nodes=["2"],
    img_hv_requested_version=[">=8.2,<9", "<8", "==6.2", "6.2.0", "newest", "!=8.2.1"], hw_cpu_policy=["dedicated"],
    hw_sound_model=["virtio"], **{"trait:CUSTOM_GOLD": ["required"]},
)  # fmt: skip
_QUERIES: list[Any] = [
    [">=", "$free_ram_mb", 1024], ["=", "$host", "host-1"], ["in", "$hypervisor_hostname", "host-0", "host-2"],
    ["and", [">", "$vcpus_used", 2], ["<", "$num_instances", 4]], ["or", ["=", "$num_io_ops", 0], [">", "$free_disk_mb", 9999]],
    ["not", ["<=", "$total_usable_ram_mb", 2048], ["=", "$vcpus_total", 4]], ["<", "$vcpus_total", 4, 3], ["=", "$free_ram_mb"],
    ["=", "$nothing", 1], ["xor", 1, 2], ["<", "$host", 3], "words", [],
]  # fmt: skip
_ADDRESSES = ["10.0.0.77", "10.0.1.1", "fd00::1", "nowhere"]
_HINTS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.sampled_from([*POLICIES, "unknown"]).flatmap(lambda name: st.sampled_from([{"group": name}, {"group": [name]}])),
    st.sampled_from(_QUERIES).map(lambda query: {"query": json.dumps(query)}),
    st.sampled_from(["[1,", ""]).map(lambda text: {"query": text}),
    st.fixed_dictionaries({"build_near_host_ip": st.sampled_from(_ADDRESSES)}),
    st.fixed_dictionaries(
        {"build_near_host_ip": st.sampled_from(_ADDRESSES), "cidr": st.sampled_from(["/23", "24", "/64", "/x"])}
    ),
    st.sampled_from(["same_host", "different_host"]).map(lambda hint: {hint: ["a-server"]}),
)

worlds = st.builds(
    World,
    hosts=st.lists(_HOST, max_size=MOST_HOSTS).map(
        lambda every: tuple(host(number, **about) for number, about in enumerate(every))
    ),
    aggregates=st.lists(st.tuples(_METADATA, _some(HOSTS, max_size=5)), max_size=4).map(
        lambda every: tuple(
            Aggregate(
                id=f"aggregate-{i}", number=i, name=f"a{i}", metadata=said, hosts=held, created_at=NOW, updated_at=None
            )
            for i, (said, held) in enumerate(every)
        )
    ),
    images=st.frozensets(st.tuples(st.sampled_from([*HOSTS, "gone"]), st.sampled_from([*IMAGES, "other"])), max_size=6),
    building=_counts(3),
    failures=_counts(3),
    groups=st.fixed_dictionaries({policy: _counts(3) for policy in POLICIES}),
    said=st.dictionaries(st.sampled_from([f"id-{i}" for i in range(MOST_HOSTS)]), _some(TRAITS).map(list), max_size=3),
    settings=st.sampled_from(
        [
            SETTINGS,
            SchedulerSettings(isolated_images=("image-a",)),
            SchedulerSettings(isolated_hosts=("host-1",), restrict_isolated_hosts_to_isolated_images=False),
        ]
    ),
    max_per_host=st.integers(1, 2),
)
_places = st.fixed_dictionaries(
    {}, optional={hint: _some([*HOSTS, "gone"]) for hint in ("same_host", "different_host")}
)
requests: st.SearchStrategy[SchedulingRequest] = st.builds(
    request,
    vcpus=st.integers(0, 5), ram_mib=st.sampled_from([0, 100, 512, 2048]), disk_gib=st.sampled_from([0, 10, 30]),
    flavor_name=st.sampled_from(["m1.tiny", "m1.small"]), project_id=st.sampled_from(["project", "stranger"]),
    extra_specs=_SPECS, image_properties=_PROPERTIES, image_id=st.sampled_from([None, *IMAGES]),
    availability_zone=st.sampled_from([None, None, "az1", "az2"]), forced_host=st.sampled_from([None, None, "host-1", "gone"]),
    excluded_hosts=_some([*HOSTS, "gone"], max_size=2), hints=_HINTS, hosts_of_hints=_places,
)  # fmt: skip
