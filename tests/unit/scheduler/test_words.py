"""What filters say may be read by tenants: it names no host, no address of one, and nobody else's project."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import entry_points

import numpy as np

from kilonova.domain.aggregate import Aggregate
from kilonova.scheduler.columns import Coded
from kilonova.scheduler.fleet import Fleet, Group, no_context
from kilonova.scheduler.plugins import profile_of
from kilonova.scheduler.settings import SchedulerSettings
from tests.unit.scheduler.building import NOW, fleet, host, request

SECRETS = ("secret-host", "10.66.66.66", "secret-project", "secret-id")
NAMES = tuple(sorted(point.name for point in entry_points(group="kilonova.scheduler.filters")))
REFUSED = {
    "vcpus": 10**6, "availability_zone": "az9", "forced_host": "wanted", "excluded_hosts": ("secret-host",),
    "image_id": "image", "flavor_name": "m1.huge", "hosts_of_hints": {"different_host": ("secret-host",)},
    "image_properties": {"hw_architecture": "aarch64", "os_distro": "debian"},
    "extra_specs": {
        "trait:CUSTOM_SSD": "required", "aggregate_instance_extra_specs:ssd": "true", "capabilities:hypervisor_type": "xen",
        "hw:numa_nodes": "2", "pci_passthrough:alias": "gpu:1",
    },
    "hints": {
        "group": "group", "same_host": "server-9", "different_host": "server-8", "build_near_host_ip": "192.168.1.1",
        "query": '["=", "$hypervisor_hostname", "elsewhere"]',
    },
}  # fmt: skip


def refusing_fleet() -> Fleet:
    """One host that nearly every filter has something against."""
    for_others = Aggregate(
        id="agg", number=1, name="a", hosts=("secret-host",), created_at=NOW, updated_at=None,
        metadata={
            "filter_tenant_id": "secret-project", "instance_type": "m1.other", "os_distro": "plan9",
            "max_instances_per_host": "1", "max_io_ops_per_host": "1",
        },
    )  # fmt: skip
    one = host(1, id="secret-id", name="secret-host", address="10.66.66.66", disabled=True, servers=9)
    context = replace(no_context(1), aggregates=Coded(((for_others,),), np.zeros(1, np.intp)), building=np.array([9]))
    apart = Group("anti-affinity", np.array([0], np.intp), np.array([1], np.int64))
    return fleet(one, groups={"group": apart}, context=context)


def test_no_filter_names_what_tenants_may_not_know() -> None:
    settings = SchedulerSettings(enabled_filters=NAMES, isolated_hosts=("elsewhere",), isolated_images=("image",))
    of, wanted, refused = refusing_fleet(), request(**REFUSED), []
    for each in profile_of(settings).filters:
        removed = np.flatnonzero(~each.mask(of, wanted))
        if len(removed):
            refused.append(each.name)
            said = f"{each.reason(of, wanted, removed)} {each.lacks(of, wanted, 0)}"
            assert not [secret for secret in SECRETS if secret in said], (each.name, said)
    assert len(refused) >= 20, refused
