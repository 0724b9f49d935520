"""Which images a host may read: those that its servers are made of, while they are there."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from kilonova.compute.host_access import HostAccess
from kilonova.conductor.machine import Disks
from kilonova.conductor.refusals import RefusalLog
from kilonova.domain.errors import Denied
from kilonova.domain.machine import DiskSpec, ImageRef
from kilonova.domain.saga import Event, JournalEvent, about_server
from kilonova.store.database import Database
from kilonova.store.queries import host_access, sagas
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


def resolve(world: World, server_id: str, disks: Disks) -> None:
    """The disks of a server's boot, as its journal has them."""
    with world.db.write() as tx:
        boot = next(saga for saga in sagas.of_subject(tx, about_server(server_id)) if saga.kind == "boot")
        result = msgspec.Raw(msgspec.json.encode(disks))
        event = JournalEvent(
            seq=99, event=Event.STEP_DONE, at=world.clock.now(), attempt=1, step="block_devices", host=None,
            result=result, error=None,
        )  # fmt: skip
        sagas.append_events(tx, boot.id, [event])


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
    second = DiskSpec(kind="data", index=1, size_mib=1, image=ref(SECOND))
    resolve(world, server_id, Disks(disks=(second,), kernel=ref(KERNEL)))
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
