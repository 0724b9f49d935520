"""Lists of servers, on both engines: what is filtered is what the domain computes, and pages neither repeat nor lose a row."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing, Rejected
from kilonova.domain.server import FlavorSnapshot, Intent, Lifecycle, PowerState, Server
from kilonova.domain.status import TASKS, status_of
from kilonova.store.database import Database
from kilonova.store.queries import servers
from kilonova.store.queries.keyset import Keyset
from kilonova.store.queries.server_filters import SORT_KEYS, ServerFilter
from kilonova.store.tables.compute import servers as table

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
MINE = RequestContext(request_id="req-1", user_id="u", project_id="mine")
ALL = MINE.across_projects()


def server(number: int, **changes: Any) -> Server:
    fields: dict[str, Any] = {
        "id": f"{number:08d}-0000-4000-8000-000000000000", "number": number, "project_id": "mine", "user_id": "u",
        "name": f"s{number}", "description": None, "hostname": f"s{number}",
        "flavor": FlavorSnapshot(id="1", name="tiny", vcpus=1, ram_mib=1, disk_gib=1), "image_id": None, "key_name": None,
        "metadata": {}, "system_metadata": {}, "availability_zone": None, "config_drive": False, "user_data": None,
        "personality": {}, "key_public": None, "admin_pass": None, "access_ip_v4": None, "access_ip_v6": None,
        "disk_config": "AUTO", "locked": False, "locked_reason": None, "tags": (), "trusted_certs": (), "hints": {},
        "security_groups": (), "root_device": "/dev/vda", "reservation_id": "r-1", "launch_index": 0,
        "lifecycle": Lifecycle.BUILT, "intent": Intent.ACTIVE, "power_state": PowerState.RUNNING, "host": None, "node": None,
        "zone": None, "saga": None, "saga_step": None, "progress": 0, "generation": 0, "fault": None,
        "created_at": WHEN + timedelta(seconds=number // 2), "updated_at": WHEN, "launched_at": None, "terminated_at": None,
        "deleted_at": None,
    }  # fmt: skip
    return Server(**{**fields, **changes})


def every_state() -> Iterator[Server]:
    works: list[tuple[str | None, str | None]] = [(None, None), ("boot", "no such step"), *TASKS]
    for number, (lifecycle, intent, power, work) in enumerate(
        itertools.product(Lifecycle, Intent, PowerState, works), 1
    ):
        gone = lifecycle is Lifecycle.DELETED
        yield server(
            number, lifecycle=lifecycle, intent=intent, power_state=power, saga=work[0], saga_step=work[1],
            deleted_at=WHEN if gone else None,
        )  # fmt: skip


def test_sql_sees_the_status_that_the_domain_computes(database: Database) -> None:
    known = list(every_state())
    with database.write() as tx:
        servers.add(tx, known)
        expected = {one.id: status_of(one) for one in known}
        for status in sorted({shown.status for shown in expected.values()}):
            found = servers.briefs(tx, ALL, ServerFilter(statuses=(status,), deleted=None), Keyset())
            assert {one.id for one in found} == {ident for ident, shown in expected.items() if shown.status == status}
        for vm_state, task in sorted({(s.vm_state, s.task_state or "") for s in expected.values()}):
            wanted = ServerFilter(vm_states=(vm_state,), task_states=(task or None,), deleted=None)
            found = servers.briefs(tx, ALL, wanted, Keyset())
            same = {i for i, shown in expected.items() if (shown.vm_state, shown.task_state or "") == (vm_state, task)}
            assert {one.id for one in found} == same


@pytest.mark.parametrize("ways", [("asc", "asc"), ("desc", "desc"), ("desc", "asc")])
@pytest.mark.parametrize("key", sorted(set(SORT_KEYS) - {"id"}))
def test_pages_hold_every_row_once_in_order_whatever_the_key(
    database: Database, key: str, ways: tuple[str, str]
) -> None:
    known = [
        server(
            i, key_name=None if i % 3 else f"k{i % 2}", host=None if i % 2 else "h", launched_at=WHEN if i % 4 else None
        )
        for i in range(1, 12)
    ]
    with database.write() as tx:
        servers.add(tx, known)
        seen: list[str] = []
        keyset = Keyset(limit=4, sort=((key, ways[0]), ("id", ways[1])))
        while page := servers.briefs(tx, ALL, ServerFilter(), keyset):
            seen += [one.id for one in page]
            keyset = replace(keyset, marker=page[-1].id)
        whole = servers.briefs(tx, ALL, ServerFilter(), replace(keyset, limit=None, marker=None))
    assert seen == [one.id for one in whole]
    assert len(seen) == len(known)


def test_a_marker_that_is_not_there_or_not_mine_is_refused(database: Database) -> None:
    with database.write() as tx:
        servers.add(tx, [server(1, project_id="theirs")])
        for marker in ("nowhere", server(1).id):
            with pytest.raises(Rejected, match=r"marker \[.*\] not found"):
                servers.briefs(tx, MINE, ServerFilter(), Keyset(marker=marker, sort=(("created_at", "desc"),)))


def test_a_query_never_leaves_its_scope(database: Database) -> None:
    theirs, nobody = server(1, project_id="theirs"), replace(MINE, project_id=None)
    with database.write() as tx:
        servers.add(tx, [theirs])
        for ctx in (MINE, nobody):
            assert servers.page_of(tx, ctx, ServerFilter(), Keyset()) == []
            with pytest.raises(Missing):
                servers.get(tx, ctx, theirs.id)
        assert servers.get(tx, ALL, theirs.id) == theirs


TAGS = {1: ("a",), 2: ("a", "b"), 3: ('say "a"', "c"), 4: ()}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"tags": ("a",)}, {1, 2}), ({"tags": ("a", "b")}, {2}), ({"tags_any": ("a", "c")}, {1, 2, 3}),
        ({"not_tags": ("a", "b")}, {1, 3, 4}), ({"not_tags_any": ("a", "b")}, {3, 4}), ({"tags": ("A",)}, set()),
        ({"tags": ('say "a"',)}, {3}), ({"tags": ("%",)}, set()),
    ],
)  # fmt: skip
def test_tags_are_matched_whole(database: Database, wanted: dict[str, Any], found: set[int]) -> None:
    with database.write() as tx:
        servers.add(tx, [server(number, tags=tags) for number, tags in TAGS.items()])
        names = {one.name for one in servers.briefs(tx, ALL, ServerFilter(**wanted), Keyset())}
    assert names == {f"s{number}" for number in found}


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("web", {"web-1", "my-web"}),
        ("^web", {"web-1"}),
        ("^(web|db)-[0-9]$", {"web-1", "db-2"}),
        ("_", {"a_b"}),
        (r"\d$", {"web-1", "db-2"}),
    ],
)
def test_names_are_matched_as_patterns(database: Database, pattern: str, found: set[str]) -> None:
    with database.write() as tx:
        names = ["web-1", "my-web", "db-2", "a_b"]
        servers.add(tx, [server(i, name=name) for i, name in enumerate(names, 1)])
        assert {
            one.name for one in servers.briefs(tx, ALL, ServerFilter(patterns={"name": pattern}), Keyset())
        } == found


def test_a_server_comes_back_as_it_was_written(database: Database) -> None:
    one = server(
        7, metadata={"k": "ü"}, tags=("a",), hints={"group": "g", "same_host": ["x"]}, launched_at=WHEN, locked=True,
        user_data="aGk=", trusted_certs=("c",), system_metadata={"image_x": "1"},
    )  # fmt: skip
    with database.write() as tx:
        servers.add(tx, [one])
        assert servers.page_of(tx, MINE, ServerFilter(), Keyset()) == [one]
        assert servers.get(tx, MINE, one.id) == one


def test_a_row_has_its_columns_where_the_struct_has_its_fields() -> None:
    assert tuple(table.c.keys()) == Server.__struct_fields__
