"""What guests are kept from, in the records and settings, and how hosts come to hear of it."""

from __future__ import annotations

import random

import msgspec

from kilonova.domain.clock import Ids
from kilonova.domain.hostnet import HeldNetworks
from kilonova.domain.reach import GuestReach
from kilonova.network.changes import Changes
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.reconcilers.guest_reach import GuestReachReconciler, ReachSettings
from kilonova.store.database import Tx
from kilonova.store.queries import hosts
from kilonova.store.queries.hosts import HostDefaults
from tests.component.network.conftest import NOW, World
from tests.component.network.spanning import FACTS, StillClock, Wire


def join(tx: Tx, name: str, *addresses: str) -> None:
    facts = msgspec.structs.replace(FACTS, addresses=addresses)
    hosts.register(tx, name, "b", facts, defaults=HostDefaults(), ids=Ids(random.Random(name)), now=NOW)


def test_hosts_names_and_the_operators_ranges_are_closed(world: World) -> None:
    reaches = GuestReachReconciler(
        world.database,
        ReachSettings(
            closed=("203.0.113.0/24",), opened=("203.0.113.9:8774",), names=("192.0.2.200", "localhost", "name.invalid")
        ),
    )
    assert reaches.now() is None
    with world.database.write() as tx:
        join(tx, "h1", "192.0.2.2", "2001:db8::1", "203.0.113.7")
        join(tx, "h2", "192.0.2.3", "127.0.0.1", "fe80::1", "fe80::1%eth0 }", "nonsense; flush ruleset", "0.0.0.0/0")
        join(tx, "h3")
    reaches.activate()
    closed = ("192.0.2.2/31", "192.0.2.200/32", "203.0.113.0/24", "2001:db8::1/128")
    assert reaches.now() == GuestReach(closed=closed, opened=("203.0.113.9:8774",))


def test_a_host_that_comes_back_with_other_addresses_is_closed_at_these(world: World) -> None:
    reaches = GuestReachReconciler(world.database, ReachSettings())
    for addresses in (("192.0.2.2",), ("192.0.2.9", "192.0.2.2"), ()):
        with world.database.write() as tx:
            join(tx, "h1", *addresses)
        reaches.activate()
        found = reaches.now()
        assert found is not None
        assert found.closed == tuple(f"{one}/32" for one in sorted(addresses))


def test_a_host_is_told_when_it_joins_and_whenever_it_holds_another(world: World) -> None:
    reaches = GuestReachReconciler(world.database, ReachSettings(closed=("203.0.113.0/24",)))
    wire = Wire()
    networks = EmbeddedNetworks(world.ids, Changes(wire, StillClock()), reaches.now)
    with world.database.write() as tx:
        join(tx, "h1")
        assert networks.for_host(tx, "h1").reach is None
    reaches.activate()
    with world.database.write() as tx:
        told = networks.for_host(tx, "h1").reach
        assert told == reaches.now()
        assert told is not None
        for digest, answer in (("", told), ("another", told), (told.digest, None)):
            held = HeldNetworks(generations={}, reach=digest)
            assert networks.newer(tx, "h1", held, NOW).reach == answer
