"""What flavors and images may ask for is either done, shown here by its effect, or refused by name."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

from kilonova.agent.failure import HostFailure
from kilonova.agent.hypervisor.libvirt.plan import plan_domain
from kilonova.agent.hypervisor.libvirt.xml import domain_xml
from kilonova.compute.boot_images import BootImages, find_images
from kilonova.compute.extra_specs import check_specs
from kilonova.compute.supported import Row, Supported, table
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Rejected
from kilonova.domain.image import Image
from kilonova.scheduler.plugin import Filter
from kilonova.scheduler.settings import FILTERS
from tests import facts
from tests.fakes import images as fakes
from tests.fakes.images import FakeImages
from tests.unit.agent.hypervisor.libvirt import machines
from tests.unit.compute.test_extra_specs import SPECS, good, name_of
from tests.unit.scheduler import building

EVERYTHING = Supported((*FILTERS, "AggregateInstanceExtraSpecsFilter"))
DRIVER = "kilonova.agent.hypervisor.libvirt."
FILTER = "kilonova.scheduler.filters."
# What a spec needs beside it to show, and values that differ from what is so anyway.
BESIDE = {
    "hw_rng:rate_period": {"hw_rng:rate_bytes": "8"},
    **{f"quota:vif_{way}_{what}": {f"quota:vif_{way}_average": "1"}
       for way in ("inbound", "outbound") for what in ("burst", "peak")},
}  # fmt: skip
IMAGE_BESIDE = {"hw_video:ram_max_mb": {"hw_video_ram": "1"}, "os:secure_boot": {"hw_firmware_type": "uefi"}}
SPEC_BESIDE = {"hw_video_ram": {"hw_video:ram_max_mb": "64"}}
VALUES = {
    "hw_rng:allowed": "false", "hw:serial_port_count": "2", "os:secure_boot": "required", "hw:cpu_cores": "2",
    "hw:cpu_threads": "2", "hw:cpu_max_sockets": "1", "hw:cpu_max_cores": "1", "hw:cpu_max_threads": "1",
    "quota:cpu_quota": "7000",
}  # fmt: skip
PROPERTIES = {
    "hw_boot_menu": "true", "hw_firmware_type": "uefi", "hw_machine_type": "q35", "hw_pointer_model": "usbtablet",
    "hw_qemu_guest_agent": "yes", "hw_scsi_model": "lsilogic", "hw_serial_port_count": "2", "hw_video_model": "vga",
    "hw_video_ram": "8", "hw_vif_model": "e1000", "hw_vif_multiqueue_enabled": "true", "hw_watchdog_action": "reset",
    "img_hide_hypervisor_id": "true", "os_secure_boot": "required", "hw_input_bus": "usb", "hw_cdrom_bus": "sata",
    "hw_disk_bus": "sata", "img_config_drive": "mandatory",
    **{f"hw_cpu_{word}": VALUES.get(f"hw:cpu_{word}", "4")
       for word in ("cores", "sockets", "threads", "max_cores", "max_sockets", "max_threads")},
}  # fmt: skip
PROPERTY_BESIDE = {
    "os_secure_boot": {"hw_firmware_type": "uefi"}, "hw_scsi_model": {"hw_disk_bus": "scsi"},
    "hw_cdrom_bus": {"img_config_drive": "mandatory"},
}  # fmt: skip


def plan(specs: dict[str, str], properties: dict[str, str]) -> str:
    made = machines.machine(vcpus=4, nics=(machines.nic(1),), extra_specs=specs, image_properties=properties)
    return domain_xml(plan_domain(made, machines.FOLDER, machines.KVM))


def refused_by(supported: Supported, specs: dict[str, str]) -> str:
    try:
        supported.check_specs(specs)
    except Rejected as why:
        return why.message
    return ""


def the_filter(module: str) -> Filter:
    found = [
        cls for _, cls in inspect.getmembers(importlib.import_module(module), inspect.isclass)
        if issubclass(cls, Filter) and cls.__module__ == module
    ]  # fmt: skip
    made: Filter = found[0]()
    return made


def image(**properties: str) -> Image:
    return Image(**{**dict.fromkeys(Image.__struct_fields__), "id": "img", "properties": properties})  # type: ignore[arg-type]


def boot_images_of(name: str) -> BootImages:
    """What a boot finds for an image with this property."""
    return find_images(
        FakeImages(fakes.image(properties={name: "nowhere"})), RequestContext(request_id="r"), fakes.TINY
    )


def row_of(name: str) -> Row | None:
    return next(
        (
            row
            for row in table().extra_specs
            for one in row.names
            if name == one or (one.endswith("*") and name.startswith(one[:-1]))
        ),
        None,
    )


def named(rows: tuple[Row, ...]) -> list[Any]:
    return [pytest.param(row, name, id=name) for row in rows for name in row.names]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec["name"])
def test_every_known_spec_is_done_or_refused_by_name(spec: dict[str, Any]) -> None:
    name, row = name_of(spec), row_of(name_of(spec))
    value = VALUES.get(name, good(spec))
    check_specs({name: value})
    if row is None or not row.takes(value):
        assert f"'{name}'" in refused_by(EVERYTHING, {name: value})
        assert "not supported by this cloud yet" in refused_by(EVERYTHING, {name: value})
        return
    assert refused_by(EVERYTHING, {name: value}) == ""
    if row.by.startswith(DRIVER):
        beside, about = BESIDE.get(name, {}), IMAGE_BESIDE.get(name, {})
        without = plan(beside, about) if name != "hw_video:ram_max_mb" else ""  # without it the image is refused
        assert plan({**beside, name: value}, about) != without
    elif row.by.startswith(FILTER):
        hosts = building.fleet(building.host(1))
        wanted = building.request(extra_specs={name: "required" if name.startswith("trait") else value})
        assert not the_filter(row.by).mask(hosts, wanted).any(), "a host that has nothing of it passes"
    else:
        assert row.values, "a row without anybody who does it names the values that ask for nothing"


@pytest.mark.parametrize(("row", "name"), named(table().extra_specs))
def test_no_row_is_about_a_spec_that_there_is_not(row: Row, name: str) -> None:
    known = {re.sub(r"{\w+}.*", "*", spec["name"].replace("{group}", "").replace("CUSTOM_", "")) for spec in SPECS}
    known |= {f"{one.partition(':')[0]}:*" for one in known if ":" in one}
    assert name in known
    assert row.by == "" or importlib.import_module(row.by)


@pytest.mark.parametrize(("row", "name"), named(table().image_properties))
def test_a_property_that_is_taken_has_an_effect(row: Row, name: str) -> None:
    if not row.by:
        assert row.values is not None
        with pytest.raises(Rejected, match="not supported by this cloud yet") as refused:
            EVERYTHING.check_image(image(**{name.replace("*", "0"): "anything at all"}))
        assert name.replace("*", "0") in refused.value.message
        assert "img" in refused.value.message
        return
    if row.by.startswith(DRIVER):
        beside, specs = PROPERTY_BESIDE.get(name, {}), SPEC_BESIDE.get(name, {})
        EVERYTHING.check_image(image(**{name: PROPERTIES[name]}))
        assert plan(specs, {**beside, name: PROPERTIES[name]}) != plan(specs, beside)
    elif row.by.startswith(FILTER):
        wanted = building.request(image_properties={name.replace("*", "CUSTOM_X"): "required"})
        assert not the_filter(row.by).mask(building.fleet(building.host(1)), wanted).any()
    elif name == "os_command_line":
        assert boot_images_of(name).kernel_args == "nowhere"
    elif name in {"kernel_id", "ramdisk_id"}:
        with pytest.raises(Rejected, match="names nowhere"):
            boot_images_of(name)
    else:
        assert f'"{name}"' in inspect.getsource(importlib.import_module(row.by))


def test_values_that_ask_for_what_is_so_anyway_are_taken() -> None:
    EVERYTHING.check_specs(
        {"hw:cpu_policy": "shared", "hw:mem_page_size": "small", "hw:locked_memory": "No", "hw:numa_nodes": "1"}
    )
    EVERYTHING.check_image(
        image(hw_mem_encryption="False", hw_rng_model="virtio", os_distro="debian", mine="x", hw_mine="y")
    )
    with pytest.raises(Rejected, match="hw:cpu_policy"):
        EVERYTHING.check_specs({"hw:boot_menu": "true", "hw:cpu_policy": "dedicated"})


@pytest.mark.parametrize("name", ["bare", "mine:anything", "hpc-rack", "x.y"])
def test_names_of_an_operators_own_are_taken(name: str) -> None:
    EVERYTHING.check_specs({name: "x"})


@pytest.mark.parametrize(
    "name", ["hw:nothing", "quota:nothing", "trait1:CUSTOM_X", "resources1:VCPU", "accel:x", "vmware:x"]
)
def test_an_unknown_name_of_a_known_namespace_is_refused_in_every_version(name: str) -> None:
    assert f"'{name}'" in refused_by(EVERYTHING, {name: "1"})


def test_what_a_filter_does_is_refused_where_the_filter_is_not_enabled() -> None:
    spec = {"aggregate_instance_extra_specs:ssd": "true"}
    assert "does without AggregateInstanceExtraSpecsFilter" in refused_by(Supported(), spec)
    assert refused_by(EVERYTHING, spec) == ""
    assert "ComputeCapabilitiesFilter" in refused_by(Supported(()), {"capabilities:vcpus_total": "= 8"})
    assert refused_by(Supported(()), {"trait:CUSTOM_X": "required"}) == ""  # that filter cannot be left out
    with pytest.raises(Rejected, match="ImagePropertiesFilter"):
        Supported(()).check_image(image(hw_architecture="aarch64"))


def test_secure_boot_without_uefi_is_refused_and_not_left_out() -> None:
    with pytest.raises(HostFailure) as refused:
        plan({"os:secure_boot": "required"}, {})
    assert "hw_firmware_type=uefi" in refused.value.fault.message


def test_the_facts_know_of_no_namespace_that_we_do_not() -> None:
    spaces = {spec["name"].split(":")[0] for spec in facts.extra_specs() if ":" in spec["name"]}
    for space in spaces:
        name = f"{space.replace('{group}', '7')}:no_such_thing"
        assert row_of(name) is not None or refused_by(EVERYTHING, {name: "1"}) != ""
