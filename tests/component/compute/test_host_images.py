"""Which images a host may read: those that its servers are made of, while they are there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, update

from kilonova.compute.host_access import HostAccess
from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.block_device import BlockDeviceMapping
from kilonova.domain.errors import Denied
from kilonova.domain.machine import ImageRef
from kilonova.store.database import Database
from kilonova.store.queries import host_access
from kilonova.store.tables.server_specs import block_devices, request_specs
from tests.fakes.accounts import RememberedAccounts
from tests.world.plane import IMAGE, TENANT, World

KERNEL, SECOND, OTHER = (f"{digit * 8}-2222-4333-8444-555555555555" for digit in "345")


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    return World(database, tmp_path)


def may(world: World, host: str, image_id: str) -> bool:
    access = HostAccess(world.runtime, accounts=RememberedAccounts(), refusals=RefusalLog(world.db, world.clock))
    try:
        access.check_image(host, image_id)
    except Denied:
        return False
    return True


def ref(image_id: str) -> ImageRef:
    return ImageRef(id=image_id, disk_format="raw", size=1, sha512=None)


def give(world: World, server_id: str) -> None:
    """A second disk, and a kernel that it boots from."""
    second = BlockDeviceMapping(
        server_id=server_id,
        position=1,
        source_type="image",
        destination_type="local",
        image=ref(SECOND),
        image_id=SECOND,
    )
    with world.db.write() as tx:
        tx.execute(insert(block_devices), msgspec.structs.asdict(second))
        tx.execute(update(request_specs).where(request_specs.c.server_id == server_id).values(kernel=ref(KERNEL)))


def test_a_host_reads_the_image_of_a_server_from_its_boot_to_its_end(world: World) -> None:
    server_id = world.boot()
    while world.server(server_id).host is None:
        world.runner.run_due()
    host = str(world.server(server_id).host)
    other = next(name for name in world.names if name != host)
    assert world.server(server_id).saga == "boot"  # under way: this is when the host needs it
    assert (may(world, host, IMAGE), may(world, other, IMAGE)) == (True, False)
    world.settle()
    assert may(world, host, IMAGE)
    world.delete_server(TENANT, server_id)
    world.settle()
    assert not may(world, host, IMAGE)


def test_a_kernel_and_a_second_disk_have_images_too(world: World) -> None:
    server_id = world.boot()
    world.settle()
    host = str(world.server(server_id).host)
    give(world, server_id)
    assert [may(world, host, one) for one in (KERNEL, SECOND, OTHER)] == [True, True, False]
    other = next(name for name in world.names if name != host)
    assert not may(world, other, KERNEL)


def test_a_host_that_is_told_to_cache_an_image_may_read_it_for_a_while(world: World) -> None:
    host, other = world.names
    with world.db.write() as tx:
        host_access.grant_image(tx, host, OTHER, world.clock.now())
    assert (may(world, host, OTHER), may(world, other, OTHER), may(world, host, KERNEL)) == (True, False, False)
    world.clock.advance(host_access.GRANT_FOR.total_seconds() - 1)
    assert may(world, host, OTHER)
    world.clock.advance(1)
    assert not may(world, host, OTHER)


def test_what_is_no_image_at_all_is_no_hosts(world: World) -> None:
    for odd in ("", "%", "_", "' OR 1=1", "x" * 5000):
        assert not may(world, world.names[0], odd)
