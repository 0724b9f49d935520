"""Every limit on what a project or user may have holds exactly, however many ask at once, on both engines."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from kilonova.compute.keypairs import KeyPairs
from kilonova.compute.server_groups import ServerGroups
from kilonova.domain.boot import BootParams, NicRequest
from kilonova.domain.clock import Ids
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, OverQuota
from kilonova.domain.server_group import GroupPolicy
from kilonova.image import members, records
from kilonova.image.records import NewImage
from kilonova.network import quotas as network_limits
from kilonova.network.changes import Changes
from kilonova.network.embedded import EmbeddedNetworks
from kilonova.network.networks import Networks, NetworkSettings, NewNetwork
from kilonova.network.ports import NewPort, Ports
from kilonova.network.rule_checks import NewRule
from kilonova.network.security_groups import NewGroup, SecurityGroups
from kilonova.network.subnets import NewSubnet, Subnets
from kilonova.runtime import Runtime
from kilonova.store.database import Database
from kilonova.store.queries import network_quotas, quotas, servers
from tests.component.image.uploading import OWNER, anything, make, send
from tests.component.store.test_servers import server
from tests.fakes.auth import PROJECT_A
from tests.imageparts import build
from tests.story.network.conftest import RecordingBus
from tests.world.clock import ManualClock

THREADS = 32
LIMIT = 5
CTX = RequestContext(request_id="req-1", user_id="u", project_id="p")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJu2Bg1hGvN4LkS0XJm2cb6cXkzQ0Gd1Z0b8mS1rZ0aK"


class Asked:
    """The use cases on one database; each `ask` gives what one thread does."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.clock, self.ids = database, ManualClock(), Ids(random.Random(3))
        changes = Changes(RecordingBus(), self.clock)
        self.runtime = Runtime(db=database, bus=RecordingBus(), clock=self.clock, ids=self.ids)
        self.changes = changes
        self.embedded = EmbeddedNetworks(self.ids, changes)
        self.images = build(database, folder, clock=self.clock)
        self.ports, self.groups = Ports(self.runtime, changes), SecurityGroups(self.runtime, changes)

    def limit(self, resource: str, most: int) -> None:
        with self.database.write() as tx:
            network_quotas.put(tx, "p", {resource: most})

    def network(self) -> str:
        (made,) = Networks(self.runtime, self.changes, NetworkSettings()).create(CTX, [NewNetwork()])
        Subnets(self.runtime, self.changes).create(
            CTX, [NewSubnet(network_id=made.id, cidr="10.0.0.0/24", ip_version=4)]
        )
        return made.id

    def networks(self) -> Callable[[int], Any]:
        self.limit("network", LIMIT)
        return lambda _: Networks(self.runtime, self.changes, NetworkSettings()).create(CTX, [NewNetwork()])

    def subnets(self) -> Callable[[int], Any]:
        self.limit("subnet", LIMIT)
        several = [
            Networks(self.runtime, self.changes, NetworkSettings()).create(CTX, [NewNetwork()])[0].id
            for _ in range(THREADS)
        ]
        return lambda i: Subnets(self.runtime, self.changes).create(
            CTX, [NewSubnet(network_id=several[i], cidr="10.0.0.0/24", ip_version=4)]
        )

    def ports_by_hand(self) -> Callable[[int], Any]:
        several = [self.network() for _ in range(4)]
        self.limit("port", LIMIT)
        return lambda i: self.ports.create(CTX, [NewPort(network_id=several[i % 4])])

    def ports_of_boots(self) -> Callable[[int], Any]:
        several = [self.network() for _ in range(4)]
        self.limit("port", LIMIT)
        new = [server(i + 1, project_id="p", host=f"h{i}") for i in range(THREADS)]
        with self.database.write() as tx:
            servers.add(tx, new)

        def boot(i: int) -> None:
            if i % 3 == 0:  # beside those who make them by hand
                self.ports.create(CTX, [NewPort(network_id=several[i % 4])])
                return
            nothing: Any = None
            wanted = BootParams(scheduling=nothing, nics=(NicRequest(network_id=several[i % 4]),), block_devices=())
            with self.database.write() as tx:
                self.embedded.allocate(tx, new[i], wanted, self.clock.now())

        return boot

    def security_groups(self) -> Callable[[int], Any]:
        self.groups.ensure_default(CTX)
        self.limit("security_group", LIMIT + 1)
        return lambda i: self.groups.create(CTX, [NewGroup(name=f"g{i}")])

    def rules(self) -> Callable[[int], Any]:
        several = [one.id for one in self.groups.create(CTX, [NewGroup(name=f"g{i}") for i in range(3)])]
        with self.database.read() as tx:
            have = network_limits.use(tx, "p")["security_group_rule"].used
        self.limit("security_group_rule", have + LIMIT)
        return lambda i: self.groups.create_rules(
            CTX, [NewRule(group_id=several[i % 3], direction="ingress", protocol="tcp", port_min=i + 1, port_max=i + 1)]
        )

    def key_pairs(self) -> Callable[[int], Any]:
        with self.database.write() as tx:
            quotas.set_limits(tx, "p", {"key_pairs": LIMIT})
        use_case = KeyPairs(self.runtime)
        return lambda i: use_case.add(CTX, "u", f"k{i}", "ssh", KEY)

    def server_groups(self) -> Callable[[int], Any]:
        with self.database.write() as tx:
            quotas.set_limits(tx, "p", {"server_groups": LIMIT})
        use_case = ServerGroups(self.runtime)
        return lambda i: use_case.create(CTX, f"g{i}", GroupPolicy.AFFINITY)

    def image_records(self) -> Callable[[int], Any]:
        few = _with_limits(self.images, project_images=LIMIT)
        return lambda i: records.create(few, NewImage(owner="p", name=f"i{i}"))

    def image_bytes(self) -> Callable[[int], Any]:
        few = _with_limits(self.images, project_size=LIMIT * 512)
        several = [make(few) for _ in range(THREADS)]
        return lambda i: send(few, several[i], b"\0" * 512)

    def image_members(self) -> Callable[[int], Any]:
        few = _with_limits(self.images, members=LIMIT)
        ident = records.create(few, NewImage(owner=PROJECT_A, visibility="shared")).id
        return lambda i: members.add(few, OWNER, ident, f"p{i}", anything)


def _with_limits(service: Any, **limits: int) -> Any:
    changed = {name: getattr(service, name) for name in ("database", "clock", "ids", "bits")}
    return type(service)(**changed, limits=replace(service.limits, **limits))


KINDS = [
    name for name, made in vars(Asked).items() if callable(made) and name[0] != "_" and name not in ("limit", "network")
]


@pytest.fixture
def asked(database: Database, tmp_path: Path) -> Iterator[Asked]:
    return Asked(database, tmp_path / "images")


def at_once(ask: Callable[[int], Any]) -> list[str]:
    """What became of each of the threads that all ask when the last of them is there. None is ended in favour of another."""
    barrier = threading.Barrier(THREADS)

    def one(i: int) -> str:
        barrier.wait(60)
        try:
            ask(i)
        except OverQuota:
            return "over quota"
        return "made"

    with ThreadPoolExecutor(THREADS) as pool:
        return sorted(pool.map(one, range(THREADS)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_is_exact_for_any_number_at_once(asked: Asked, kind: str) -> None:
    assert at_once(getattr(asked, kind)()) == ["made"] * LIMIT + ["over quota"] * (THREADS - LIMIT)


def test_of_many_who_take_one_name_for_a_key_one_has_it(asked: Asked) -> None:
    use_case = KeyPairs(asked.runtime)

    def ask(_: int) -> None:
        try:
            use_case.add(CTX, "u", "same", "ssh", KEY)
        except Conflict as taken:
            raise OverQuota("names", requested=1, used=1, limit=1) from taken

    assert at_once(ask) == ["made"] + ["over quota"] * (THREADS - 1)
