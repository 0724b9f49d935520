"""A server with allocations on two hosts: each keeps its machine until it is let go, and every reader of that fact agrees."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilonova.agent.hypervisor.sim.machines import Machine
from kilonova.conductor.audit import Audit
from kilonova.domain.allocation import AllocationRole, Claim
from kilonova.domain.report import Observed
from kilonova.domain.server import PowerState
from kilonova.rpc.messages import HostObserved
from kilonova.store.database import Database
from kilonova.store.queries import hosts, providers, server_facts
from tests.world.gated import GatedWorld
from tests.world.plane import TENANT


@pytest.fixture
def world(database: Database, tmp_path: Path) -> GatedWorld:
    return GatedWorld(database, tmp_path)


def orphans(world: GatedWorld) -> dict[str, list[str]]:
    return Audit(world.db, world.bus, world.clock)().orphans


def machines(world: GatedWorld) -> dict[str, list[str]]:
    return {name: [seen.server_id for seen in driver.observe()] for name, driver in world.drivers.items()}


def moving(world: GatedWorld) -> tuple[str, str, str]:
    """A server that runs on one host and has come to another, which is its current one by now: its id, and both hosts."""
    server_id = world.active()
    source = str(world.server(server_id).host)
    target = next(name for name in world.names if name != source)
    world.drivers[target]._machines.put(
        Machine(server_id=server_id, generation=1, power_state=PowerState.RUNNING, console="")
    )
    with world.db.write() as tx:
        host = hosts.by_name(tx, target)
        assert host is not None
        wanted = Claim(server_id=server_id, vcpus=1, ram_mib=512, disk_gib=1, role=AllocationRole.INCOMING)
        assert hosts.claim(tx, host.id, wanted, world.clock.now()) is not None
        hosts.arrive(tx, server_id)
        server_facts.place(tx, server_id, target, host.zone, world.clock.now())
    return server_id, source, target


def let_go(world: GatedWorld, server_id: str) -> None:
    with world.db.write() as tx:
        assert len(hosts.release(tx, server_id, [AllocationRole.OUTGOING])) == 1


def test_the_source_machine_lives_on_until_it_is_let_go(world: GatedWorld) -> None:
    server_id, source, target = moving(world)
    world.settle(600.0)
    assert machines(world)[source] == machines(world)[target] == [server_id]
    assert orphans(world) == {}
    let_go(world, server_id)
    world.settle(120.0)
    assert (machines(world)[source], machines(world)[target]) == ([], [server_id])
    assert orphans(world) == {}


def test_both_hosts_may_speak_of_it_and_only_the_current_one_is_believed(world: GatedWorld) -> None:
    server_id, source, target = moving(world)
    down = Observed(server_id=server_id, power_state=PowerState.SHUTDOWN)
    for host in (source, target):
        assert world.admits(host, HostObserved(host=host, observed=(down,)))
    third = next(name for name in world.names if name not in (source, target))
    assert not world.admits(third, HostObserved(host=third, observed=(down,)))
    world.bus.cast("conductor", HostObserved(host=source, observed=(down,)))
    assert world.server(server_id).power_state is PowerState.RUNNING


def test_placement_shows_what_it_has_of_each(world: GatedWorld) -> None:
    server_id, source, target = moving(world)
    with world.db.read() as tx:
        by_id = {host.id: host for host in hosts.every(tx)}
        shown = {by_id[one.host_id].name: one.resources for one in providers.allocations(tx, server_id=server_id)}
        roles = {role: by_id[host_id].name for role, host_id in hosts.roles(tx, server_id).items()}
    assert shown.keys() == {source, target}
    assert shown[source] == shown[target]
    assert roles == {AllocationRole.CURRENT: target, AllocationRole.OUTGOING: source}


def test_a_delete_leaves_nothing_on_either(world: GatedWorld) -> None:
    server_id, _source, _target = moving(world)
    world.delete_server(TENANT, server_id)
    world.settle(600.0)
    assert set(map(tuple, machines(world).values())) == {()}
    assert orphans(world) == {}
    with world.db.read() as tx:
        assert [host.servers for host in hosts.every(tx)] == [0, 0, 0]


def test_a_resize_in_place_takes_both_from_one_host(world: GatedWorld) -> None:
    server_id = world.active()
    with world.db.write() as tx:
        host = hosts.by_name(tx, str(world.server(server_id).host))
        assert host is not None
        wanted = Claim(server_id=server_id, vcpus=2, ram_mib=1024, disk_gib=2, role=AllocationRole.INCOMING)
        assert hosts.claim(tx, host.id, wanted, world.clock.now()) is not None
        hosts.arrive(tx, server_id)
    assert orphans(world) == {}
    let_go(world, server_id)
    with world.db.read() as tx:
        (held,) = providers.allocations(tx, server_id=server_id)
    assert held.resources["VCPU"] == 2
    assert orphans(world) == {}
