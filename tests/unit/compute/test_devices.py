from typing import Any

import pytest

from kilonova.compute.devices import check_image, plan_devices
from kilonova.compute.request import WantedDevice
from kilonova.domain.errors import Denied, Rejected
from kilonova.domain.flavor import Flavor
from kilonova.domain.image import ImageStatus
from tests.fakes.images import TINY, WHEN, image

ROOT = {"source_type": "image", "destination_type": "local", "uuid": TINY, "boot_index": 0}


def flavor(**changes: Any) -> Flavor:
    fields: dict[str, Any] = {
        "id": "1", "name": "tiny", "vcpus": 1, "ram_mib": 512, "disk_gib": 1, "ephemeral_gib": 10, "swap_mib": 512,
        "rxtx_factor": 1.0, "is_public": True, "disabled": False, "description": None, "extra_specs": {}, "created_at": WHEN,
        "updated_at": None,
    }  # fmt: skip
    return Flavor(**{**fields, **changes})


def plan(*wanted: dict[str, Any], **changes: Any) -> list[tuple[str, int, int | None]]:
    made = plan_devices([WantedDevice(**one) for one in wanted], image(), flavor(**changes))
    return [(device.source_type, device.boot_index, device.size_gib) for device in made]


def test_without_a_mapping_the_image_is_the_root_disk() -> None:
    assert plan() == [("image", 0, None)]


def test_an_image_root_may_be_spelt_out_and_comes_first() -> None:
    blank = {"source_type": "blank", "destination_type": "local", "size": 2}
    assert plan(blank, ROOT) == [("image", 0, None), ("blank", -1, 2)]


def test_a_device_that_is_none_is_left_out() -> None:
    assert plan({"source_type": "volume", "no_device": True}) == [("image", 0, None)]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"source_type": "volume", "uuid": TINY}, "block storage service is not enabled"),
        ({"source_type": "snapshot", "uuid": TINY}, "block storage service is not enabled"),
        ({**ROOT, "destination_type": "volume"}, "block storage service is not enabled"),
        ({"destination_type": "local"}, "source_type is required"),
        ({**ROOT, "uuid": "another"}, "only be mapped to a local disk as the root disk"),
        ({"source_type": "blank", "uuid": TINY}, "a blank device has no uuid"),
        ({"source_type": "blank", "boot_index": 0}, "cannot be booted from"),
        ({"source_type": "blank", "size": 11}, "larger than the instance type allows"),
        ({"source_type": "blank", "guest_format": "swap", "size": 513}, "swap drive requested is larger"),
        ({"source_type": "blank", "size": 1, "device_name": "/dev/../x"}, "is not a device name"),
        ({**ROOT, "size": 2}, "larger than the flavor's"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(Rejected, match=message):
        plan(wanted)


def test_names_and_tags_are_each_devices_own() -> None:
    blank = {"source_type": "blank", "size": 1}
    with pytest.raises(Rejected, match="same tag"):
        plan({**blank, "tag": "a"}, {**blank, "tag": "a"})
    with pytest.raises(Rejected, match="same device_name"):
        plan({**blank, "device_name": "vdb"}, {**blank, "device_name": "/dev/vdb"})
    with pytest.raises(Rejected, match="more than one swap"):
        plan(*[{**blank, "guest_format": "swap"}] * 2)


def test_a_server_needs_something_to_boot_from() -> None:
    with pytest.raises(Rejected, match="Invalid imageRef provided"):
        plan_devices([], None, flavor())


def test_a_boot_order_has_no_gaps() -> None:
    with pytest.raises(Rejected, match="boot sequence"):
        plan(ROOT, ROOT)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": ImageStatus.QUEUED}, "is not active"),
        ({"min_ram": 513}, "memory is too small"),
        ({"min_disk": 2}, "minimum size is 2 GiB"),
        ({"virtual_size": 2**30 + 1}, "disk is too small"),
        ({"size": 2**30 + 1}, "disk is too small"),
    ],
)
def test_an_image_that_does_not_fit_the_flavor_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Rejected, match=message):
        check_image(image(**changes), flavor(), allow_zero_disk=True)


def test_a_flavor_without_a_disk_takes_any_size_but_only_by_policy() -> None:
    big = image(virtual_size=2**40, min_disk=1)
    check_image(big, flavor(disk_gib=0), allow_zero_disk=True)
    with pytest.raises(Denied, match="zero disk"):
        check_image(big, flavor(disk_gib=0), allow_zero_disk=False)
