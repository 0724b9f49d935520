"""What a signature says too little of: filters by their columns, things that are not there yet, sagas at their epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.allocation import AllocationRole
from kilonova.domain.block_device import BlockDeviceMapping
from kilonova.domain.boot import BootParams
from kilonova.domain.host import Host
from kilonova.domain.identity import Assignment
from kilonova.domain.saga import Saga, SagaStatus, Subject, SubjectKind
from kilonova.domain.server import Server
from kilonova.domain.server_group import ServerGroup
from kilonova.store.queries import identity
from kilonova.store.queries.actions import Action
from kilonova.store.queries.flavors import FlavorFilter
from kilonova.store.queries.identity_tokens import SecretKey
from kilonova.store.queries.image_filters import ImageFilter
from kilonova.store.queries.sagas import NewSaga
from kilonova.store.queries.server_filters import ServerFilter
from kilonova.store.tables.compute import server_actions
from kilonova.store.tables.sagas import sagas
from tests.component.store.alike.seed import value
from tests.component.store.alike.values import (
    ADDRESSES,
    HOSTS,
    INSTANTS,
    PROJECTS,
    ROWS,
    TEXTS,
    USERS,
    ident,
    made,
)

# What is plain, or a pattern whose meaning is the same everywhere; what is neither is refused at the rim.
PATTERNS = (*TEXTS[:20], "^a", "a$", "[aÄ]", "a.b", "(a|ß)", "a+", r"a\.b", "")


def new(of: type[msgspec.Struct], **more: Callable[[int], Any]) -> Callable[[int], Any]:
    """Things that are not there yet, by a number."""

    def fresh(number: int) -> Any:
        own = {
            "id": lambda at: ident("new", at),
            "number": lambda at: 1000 + at,
            "name": lambda at: f"new {TEXTS[at % len(TEXTS)]}"[:60],
        }
        fields = {name: make(number) for name, make in (own | more).items() if name in of.__struct_fields__}
        return replace(made(of, number), **fields)

    return fresh


def several(make: Callable[[int], Any]) -> Callable[[int], Any]:
    return lambda number: [make(2 * number), make(2 * number + 1)][: 1 + number % 2]


def _saga(number: int) -> Saga:
    return replace(made(Saga, number), id=ident("sagas", number), epoch=value(sagas, sagas.c.epoch, number))


def _new_saga(number: int) -> NewSaga:
    return replace(made(NewSaga, number), subject=Subject(SubjectKind.SERVER, ident("servers", number)), kind="boot")


def _unspecified(number: int) -> str:
    """A server that has no request spec yet."""
    return ident("servers", ROWS // 2 + number % (ROWS // 2))


def _specs(number: int) -> list[BootParams]:
    params = made(BootParams, number)
    return [replace(params, scheduling=replace(params.scheduling, server_id=_unspecified(number)))]


def _devices(number: int) -> list[BlockDeviceMapping]:
    return [replace(made(BlockDeviceMapping, number), server_id=_unspecified(number), position=1000 + number)]


def _assignment(number: int) -> Assignment:
    whose = {"user_id": ident("users", number)} if number % 2 else {"group_id": ident("groups", number)}
    where = {"project_id": ident("projects", number)} if number % 3 else {"domain_id": ident("domains", number)}
    return Assignment(role_id=ident("roles", number), **whose, **where)


def _server_filters() -> Iterator[ServerFilter]:
    yield from (ServerFilter(), ServerFilter(deleted=None), ServerFilter(deleted=True))
    for column in ("name", "description", "hostname", "node", "access_ip_v4", "root_device"):
        yield from (ServerFilter(patterns={column: one}, deleted=None) for one in PATTERNS)
    exact = {
        "image_id": [ident("images", 1), "é"], "user_id": [*USERS, "USER-1"], "launch_index": [0, -1, 2**31 - 1], "host": HOSTS,
        "zone": ["nova", "NOVA", ""], "config_drive": [True, False], "locked": [True, False], "launched_at": INSTANTS,
        "disk_config": ["AUTO", "auto"], "project_id": PROJECTS, "key_name": TEXTS,
    }  # fmt: skip
    for column, values in exact.items():
        yield from (ServerFilter(exact={column: one}, deleted=None) for one in values)
    for one in TEXTS:
        yield ServerFilter(tags=(one,), deleted=None)
        yield ServerFilter(not_tags_any=(one, "a"), deleted=None)
        yield ServerFilter(system_metadata={"a": one}, deleted=None)
        yield ServerFilter(flavor_id=one, deleted=None)
    yield from (ServerFilter(ip=one) for one in (*ADDRESSES, "10", "^10", "F", "fd"))
    yield from (ServerFilter(ip6=one) for one in ("fd", "FD", "::1$"))
    for at in INSTANTS:
        yield from (ServerFilter(changes_since=at, deleted=None), ServerFilter(changes_before=at, deleted=None))
    yield from (ServerFilter(statuses=(one,), deleted=None) for one in ("ACTIVE", "active", "ERROR", "DELETED", "é"))
    yield ServerFilter(vm_states=("active", "error"), task_states=(None, "spawning"), deleted=None)


def _image_filters() -> Iterator[ImageFilter]:
    yield from (ImageFilter(), ImageFilter(size_min=0), ImageFilter(size_max=2**62))
    for column in ("name", "status", "disk_format", "owner", "id"):
        yield from (ImageFilter(one_of={column: (one, "a")}) for one in TEXTS)
    for one in TEXTS:
        yield ImageFilter(tags=(one,), visibility="all", member_status="all")
        yield ImageFilter(properties={one: "a"}, visibility="all", member_status="all")
        yield ImageFilter(properties={"a": one}, visibility="all", member_status="all")
    for way in ("lt", "gte", "eq", "neq"):
        yield from (ImageFilter(times=(("created_at", way, at),)) for at in INSTANTS)
    yield from (ImageFilter(visibility=one) for one in ("public", "community", "shared", "private", "Public"))


def _flavor_filters() -> Iterator[FlavorFilter]:
    for public in (None, True, False):
        yield from (FlavorFilter(is_public=public, name=one) for one in (None, *PATTERNS))
        yield FlavorFilter(is_public=public, min_ram_mib=2**31 - 1, min_disk_gib=-1)


KINDS: list[Any] = list(identity._TABLES)
BY_HAND: dict[Any, Any] = {
    ("servers", "wanted"): list(_server_filters()),
    ("images", "wanted"): list(_image_filters()),
    ("flavors", "wanted"): list(_flavor_filters()),
    ("servers.add", "new"): several(new(Server, lifecycle=lambda _: "built", deleted_at=lambda _: None)),
    ("hosts.add", "new"): several(new(Host, service_id=lambda at: ident("new services", at))),
    ("aggregates.add", "new"): new(Aggregate, hosts=lambda _: ()),
    ("aggregates", "aggregate"): new(Aggregate, id=lambda at: ident("aggregates", at), number=lambda at: at),
    ("server_groups.add", "new"): new(ServerGroup),
    ("server_groups.add", "number"): lambda at: 1000 + at,
    ("server_groups.join", "group_id"): lambda at: ident("server_groups", at),
    ("server_groups.join", "server_ids"): lambda at: [ident("servers", ROWS // 2 + at % (ROWS // 2))],
    ("server_groups", "group_id"): lambda at: ident("server_groups", at),
    ("identity_roles", "one"): _assignment,
    ("identity_roles", "group_id"): lambda at: ident("groups", at),
    ("identity_roles", "user_id"): lambda at: ident("users", at + at // ROWS),
    ("identity_tokens.add_key", "key"): new(SecretKey, created_at=lambda at: INSTANTS[0] + timedelta(days=1 + at)),
    ("actions.get", "server_id"): [value(server_actions, server_actions.c.server_id, at) for at in range(ROWS)],
    ("actions.get", "request_id"): [value(server_actions, server_actions.c.request_id, at) for at in range(ROWS)],
    ("saga_leases.finish", "status"): [SagaStatus.DONE, SagaStatus.FAILED, SagaStatus.CANCELLED],
    ("actions", "action"): new(Action, id=lambda at: ident("sagas", at)),
    ("hosts_view", "ident"): [*(ident("hosts", at) for at in range(ROWS)), "3", "03", "٣", "nowhere", "99999999999"],
    ("hosts.release", "roles"): lambda _: AllocationRole.CURRENT,
    ("ports.join_groups", "group_ids"): lambda at: [ident("security_groups", at)],
    ("ports", "server_ids"): [[ident("servers", at) for at in range(ROWS)], [ident("servers", 1)], []],
    ("purge.last_beyond", "ended"): ["servers", "images"],
    ("saga_leases", "saga"): _saga,
    ("sagas.start", "new"): _new_saga,
    ("server_specs.add", "specs"): _specs,
    ("server_specs.add", "devices"): _devices,
}
