"""Aggregates with the zones that follow from them, and server groups with their counters, on both engines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kilonova.domain.aggregate import Aggregate
from kilonova.domain.allocation import Claim
from kilonova.domain.clock import Ids
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing
from kilonova.domain.host import HostDefaults, HostFacts
from kilonova.domain.server_group import GroupPolicy, ServerGroup
from kilonova.store.database import Database, Tx
from kilonova.store.queries import aggregates, hosts, server_groups, servers
from tests.component.store.test_servers import server

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=UTC)
MINE = RequestContext(request_id="req-1", user_id="u", project_id="mine")
THEIRS = RequestContext(request_id="req-2", user_id="v", project_id="theirs")
FACTS = HostFacts(
    vcpus=4, ram_mib=4096, disk_gib=100, hypervisor_type="sim", hypervisor_version=1, accelerator="sim", arch="x86_64"
)


def join(tx: Tx, name: str) -> str:
    return hosts.register(tx, name, "b", FACTS, defaults=HostDefaults(), ids=Ids(), now=WHEN).host.id


def aggregate(number: int, **metadata: str) -> Aggregate:
    return Aggregate(
        id=f"agg-{number}",
        number=number,
        name=f"a{number}",
        metadata=metadata,
        hosts=(),
        created_at=WHEN,
        updated_at=None,
    )


def group(name: str, policy: GroupPolicy, **changes: object) -> ServerGroup:
    fields: dict[str, object] = {
        "id": name, "project_id": "mine", "user_id": "u", "name": name, "policy": policy, "max_server_per_host": None,
        "members": (), "created_at": WHEN,
    }  # fmt: skip
    return ServerGroup(**{**fields, **changes})  # type: ignore[arg-type]


def zone(tx: Tx, name: str) -> tuple[str, datetime | None]:
    found = hosts.by_name(tx, name)
    assert found is not None
    return found.zone, found.updated_at


def test_a_hosts_zone_is_its_aggregates_and_a_change_marks_the_host(database: Database) -> None:
    with database.write() as tx:
        one, two = join(tx, "h1"), join(tx, "h2")
        aggregates.add(tx, aggregate(1, availability_zone="west"))
        aggregates.add(tx, aggregate(2, ssd="true"))
        west, fast = aggregates.get(tx, 1), aggregates.get(tx, 2, for_change=True)
        aggregates.add_host(tx, west, one)
        aggregates.add_host(tx, fast, one)
        aggregates.add_host(tx, fast, two)
        assert aggregates.settle_zones(tx, ["h1"], LATER) == ["h1"]
        assert (zone(tx, "h1"), zone(tx, "h2")) == (("west", LATER), ("nova", None))
        assert [(found.name, found.hosts) for found in aggregates.every(tx)] == [("a1", ("h1",)), ("a2", ("h1", "h2"))]
        assert aggregates.ids_by_host(tx) == {one: ["agg-1", "agg-2"], two: ["agg-2"]}
        aggregates.remove_host(tx, west, one)
        assert aggregates.settle_zones(tx, ["h1", "h2"], LATER) == ["h1"]
        assert zone(tx, "h1") == ("nova", LATER)
        assert aggregates.is_taken(tx, "a1")
        aggregates.remove(tx, fast)
        assert [found.hosts for found in aggregates.every(tx)] == [()]
        with pytest.raises(Missing):
            aggregates.get(tx, 2)


def test_counters_follow_the_servers_and_leave_with_them(database: Database) -> None:
    with database.write() as tx:
        on = {name: join(tx, name) for name in ("h1", "h2")}
        servers.add(tx, [server(n) for n in range(1, 5)])
        ids = [server(n).id for n in range(1, 5)]
        server_groups.add(tx, group("apart", GroupPolicy.ANTI_AFFINITY, max_server_per_host=2), 1)
        server_groups.add(tx, group("empty", GroupPolicy.AFFINITY, project_id="theirs"), 2)
        server_groups.join(tx, "apart", ids[:3])
        assert server_groups.counters(tx) == {}
        for ident, host in zip(ids, ("h1", "h1", "h2", "h1"), strict=True):
            hosts.claim(tx, on[host], Claim(server_id=ident, vcpus=1, ram_mib=1, disk_gib=1), LATER)
        assert server_groups.counters(tx) == {"apart": {"h1": 2, "h2": 1}}
        assert server_groups.members(tx, "apart") == tuple(ids[:3])
        assert server_groups.of_servers(tx, ids) == dict.fromkeys(ids[:3], "apart")
        found = server_groups.rule_for_claim(tx, ids[0])
        assert found is not None
        rule, others = found.rule, found.others
        assert (rule, others) == (server_groups.policy_of(tx, "apart"), {"h1": 1, "h2": 1})
        assert (rule.max_per_host, server_groups.rule_for_claim(tx, ids[3])) == (2, None)
        server_groups.leave(tx, ids[0])
        assert server_groups.counters(tx) == {"apart": {"h1": 1, "h2": 1}}
        assert [server_groups.members(tx, one) for one in server_groups.rules(tx)] == [tuple(ids[1:3]), ()]


def test_a_group_is_its_projects_own(database: Database) -> None:
    with database.write() as tx:
        server_groups.add(tx, group("g", GroupPolicy.SOFT_AFFINITY), 1)
        with pytest.raises(Missing):
            server_groups.get(tx, THEIRS, "g")
        with pytest.raises(Missing):
            server_groups.locked_for_change(tx, THEIRS, "g")
        assert server_groups.listed(tx, THEIRS) == []
        assert [one.id for one in server_groups.listed(tx, THEIRS.across_projects(), limit=1)] == ["g"]
        assert server_groups.listed(tx, MINE, offset=1) == []
        server_groups.remove(tx, server_groups.get(tx, MINE, "g"))
        assert server_groups.policy_of(tx, "g") is None
