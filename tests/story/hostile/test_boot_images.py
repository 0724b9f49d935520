"""The images that an image names, kernel and ramdisk: they are resolved when a boot is accepted, as its caller sees them."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from kilonova.api.image.fields import NAMING_IMAGES
from kilonova.api.image.schemas import IMAGE
from kilonova.domain.boot import BootParams
from kilonova.domain.saga import about_server
from kilonova.store.queries import sagas
from tests.story.hostile.world import World

MEDIA = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
PARTS = {"kernel_id": "aki", "ramdisk_id": "ari"}


def part(person: Any, name: str, **more: Any) -> str:
    kind = PARTS[name]
    return str(person.image(name=name, visibility="private", **{"disk_format": kind, "container_format": kind, **more}))


def params_of(cloud: World, server_id: str) -> BootParams:
    with cloud.cloud.runtime.db.read() as tx:
        boot = next(saga for saga in sagas.of_subject(tx, about_server(server_id)) if saga.kind == "boot")
    return msgspec.json.decode(boot.params, type=BootParams)


@pytest.mark.parametrize("name", PARTS)
def test_a_strangers_image_is_no_part_of_a_machine(cloud: World, name: str) -> None:
    theirs, absent = part(cloud.a, name), str(uuid4())
    cloud.b.refused(404, "GET", f"image /images/{theirs}")
    told = {}
    for ident in (theirs, absent):
        image = cloud.b.image(**{name: ident})
        answer = cloud.b.boot(image)
        assert answer.status_code == 400, answer.text
        told[ident] = answer.text.replace(ident, "ID").replace(image, "IMAGE")
    assert told[theirs] == told[absent]
    assert cloud.b.ok("GET", "compute /servers")["servers"] == []


@pytest.mark.parametrize("name", PARTS)
def test_a_part_must_be_active_and_of_its_kind(cloud: World, name: str) -> None:
    off, queued = part(cloud.b, name), str(cloud.b.image(None, disk_format="raw"))
    cloud.admin.ok("POST", f"image /images/{off}/actions/deactivate")
    wrong = next(kind for kind in PARTS.values() if kind != PARTS[name])
    other = part(cloud.b, name, disk_format=wrong, container_format=wrong)
    for ident, why in ((off, "not active"), (queued, "not active"), (other, f"format is {wrong}")):
        answer = cloud.b.boot(cloud.b.image(**{name: ident}))
        assert (answer.status_code, why in answer.text, ident in answer.text) == (400, True, True), answer.text


def test_what_is_accepted_is_what_the_host_is_told(cloud: World) -> None:
    """Neither what the image says later nor what becomes of its parts changes a boot that was accepted."""
    kernel, ramdisk = (part(cloud.b, name) for name in PARTS)
    image = cloud.b.image(kernel_id=kernel, ramdisk_id=ramdisk, os_command_line="quiet")
    server_id = cloud.b.booted(image)
    stranger = part(cloud.a, "kernel_id")
    patch = json.dumps([{"op": "replace", "path": "/kernel_id", "value": stranger}]).encode()
    cloud.b.ok("PATCH", f"image /images/{image}", patch, headers=MEDIA)
    params = params_of(cloud, server_id)
    assert params.kernel is not None
    assert params.ramdisk is not None
    shown = cloud.b.ok("GET", f"image /images/{kernel}")
    assert (params.kernel.id, params.ramdisk.id, params.kernel_args) == (kernel, ramdisk, "quiet")
    assert (params.kernel.sha512, params.kernel.size) == (shown["os_hash_value"], shown["size"])
    [root] = [device for device in params.block_devices if device.boot_index == 0]
    assert root.image is not None
    assert root.image.id == image
    assert cloud.b.settled(server_id)["status"] == "ACTIVE"
    cloud.b.refused(400, "POST", "compute /servers", {
        "server": {"name": "two", "flavorRef": "1", "imageRef": image, "networks": "none"}
    })  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_what_cannot_be_an_images_id_is_refused_where_it_is_said(cloud: World, name: str) -> None:
    """Whether there is such an image is asked at the boot: it may come, or be shared, later than the one that names it."""
    ident = cloud.b.image()
    for value in ("", "../../etc/passwd", "x"):
        body = {"name": "x", "disk_format": "raw", "container_format": "bare", name: value}
        assert name in cloud.b.refused(400, "POST", "image /images", body)
        patch = json.dumps([{"op": "add", "path": f"/{name}", "value": value}]).encode()
        assert name in cloud.b.refused(400, "PATCH", f"image /images/{ident}", patch, headers=MEDIA)
    cloud.b.ok("POST", "image /images", {"name": "x", name: str(uuid4())})


def test_an_image_that_is_not_active_is_not_fetched_ahead(cloud: World) -> None:
    queued = cloud.admin.image(None)
    number = cloud.admin.ok("POST", "compute /os-aggregates", {"aggregate": {"name": "cached"}})["aggregate"]["id"]
    told = cloud.admin.refused(400, "POST", f"compute /os-aggregates/{number}/images", {"cache": [{"id": queued}]})
    assert "not active" in told


def test_every_property_that_names_an_image_is_resolved() -> None:
    """What the published schema says is an image's id, a boot resolves, and nothing else."""
    assert {name for name, field in IMAGE.items() if field.get("is_base") is False and "pattern" in field} == set(PARTS)
    assert set(NAMING_IMAGES) == set(PARTS)
