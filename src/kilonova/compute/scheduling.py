"""
What the scheduler is asked: made here alone, so that a boot and the question where it would go ask the same.
"""

from __future__ import annotations

import msgspec

from kilonova.compute.devices import check_image
from kilonova.compute.request import BootRequest
from kilonova.compute.supported import Supported
from kilonova.compute.zones import check_zone
from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.flavor import Flavor
from kilonova.domain.image import Image
from kilonova.store.database import Tx
from kilonova.store.queries import flavors

_MIB_PER_GIB = 1024


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be placed, looked up and checked: the part of a boot that the scheduler is told of."""

    flavor: Flavor
    image: Image | None
    zone: str | None
    forced_host: str | None
    hints: dict[str, str | list[str]]

    def request(self, server_id: str, project_id: str) -> SchedulingRequest:
        """The question for one server."""
        flavor, image = self.flavor, self.image
        swap_gib = -(-flavor.swap_mib // _MIB_PER_GIB)
        return SchedulingRequest(
            server_id=server_id, project_id=project_id, vcpus=flavor.vcpus, ram_mib=flavor.ram_mib,
            disk_gib=flavor.disk_gib + flavor.ephemeral_gib + swap_gib, flavor_id=flavor.id, flavor_name=flavor.name,
            extra_specs=flavor.extra_specs, image_id=image.id if image else None,
            image_properties=image.properties if image else {}, availability_zone=self.zone, forced_host=self.forced_host,
            hints=self.hints,
        )  # fmt: skip


def resolve_subject(
    tx: Tx, project_id: str, request: BootRequest, image: Image | None, supported: Supported
) -> Subject:
    """Flavor and place of a request, checked against its image and what is built here. Raises Rejected or Denied."""
    flavor = _flavor(tx, project_id, request.flavor_ref)
    supported.check_flavor(flavor)
    if image is not None:
        supported.check_image(image)
        check_image(image, flavor, allow_zero_disk=request.allow_zero_disk)
    forced_host = check_zone(tx, request.place)
    return Subject(flavor=flavor, image=image, zone=request.place.zone, forced_host=forced_host, hints=request.hints)


def _flavor(tx: Tx, project_id: str, flavor_ref: str) -> Flavor:
    try:
        return flavors.get(tx, flavor_ref, project_id=project_id)
    except Missing:
        raise Rejected(f"Flavor {flavor_ref[:255]} could not be found.") from None
