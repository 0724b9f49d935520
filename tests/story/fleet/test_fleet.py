"""A real fleet of processes on PostgreSQL and RabbitMQ, and everything that may be taken from it while it works."""

from __future__ import annotations

from itertools import count

import pytest
from openstack.connection import Connection

from tests import fleet
from tests.fleet import Client, Fleet, Load
from tests.waiting import wait_until

SETTLE_S = 90.0  # more than a lease: what a dead conductor held runs out first
_runs = count(1)


@pytest.fixture
def clients(running: Fleet) -> list[Client]:
    return [running.client("api-1"), running.client("api-2")]


def sdk(client: Client) -> Connection:
    """OpenStack's own client, which asks this API whatever the catalog says."""
    return Connection(
        auth_type="v3token",
        auth={
            "auth_url": f"{client.url}/identity",
            "token": client.token,
            "project_name": "admin",
            "project_domain_id": "default",
        },
        compute_endpoint_override=f"{client.url}/compute/v2.1",
        app_name="kilonova-tests",
    )


def load(clients: list[Client], image: str) -> Load:
    return Load(clients, image, f"run{next(_runs)}")


def settled(client: Client, names: list[str]) -> dict[str, str]:
    """The statuses of these servers, once none is being built."""

    def look() -> dict[str, str] | None:
        found = client.statuses()
        mine = {name: found.get(name, "GONE") for name in names}
        return None if "BUILD" in mine.values() else mine

    return wait_until(look, "every server has settled", SETTLE_S)  # type: ignore[no-any-return]


def assert_all_active(client: Client, names: list[str]) -> None:
    assert names
    assert set(settled(client, names).values()) == {"ACTIVE"}
    assert wait_until(lambda: client.orphans() == {}, f"no orphans, but {client.orphans()}", 30)


@pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")
def test_official_clients_boot_and_delete_through_any_api(running: Fleet, clients: list[Client], image: str) -> None:
    one, other = (sdk(client) for client in clients)
    with one, other:
        made = one.compute.create_server(name="sdk", image_id=image, flavor_id="1", networks="auto")
        assert other.compute.wait_for_server(made, wait=60).status == "ACTIVE"
        other.compute.delete_server(made)
        one.compute.wait_for_delete(made, wait=60)


def test_a_request_is_followed_by_its_id_through_every_process(
    running: Fleet, clients: list[Client], image: str
) -> None:
    answer = clients[0].boot("followed", image)
    assert answer.status_code == 202
    request_id = answer.headers["X-Openstack-Request-Id"]
    assert_all_active(clients[0], ["followed"])
    seen = {
        (line["process"], line["event"], line.get("message") or line.get("route"))
        for node in running.nodes.values()
        for line in node.lines()
        if line.get("request_id") == request_id
    }
    assert {
        ("api", "request", "POST /servers"),
        ("conductor", "handled", "SagaReady"),
        ("scheduler", "handled", "Place"),
        ("agent", "handled", "EnsureServer"),
        ("conductor", "handled", "Report"),
        ("conductor", "saga ended", None),
    } <= seen


def test_every_process_says_how_it_fares(running: Fleet, clients: list[Client], image: str) -> None:
    with load(clients, image) as asked:
        asked.wait_accepted(4)
    assert_all_active(clients[0], asked.accepted)
    nodes = running.nodes
    conductors = [node for node in nodes.values() if node.kind == "conductor"]
    assert sum(node.metric("kilonova_sagas_ended_total", kind="boot", outcome="done") for node in conductors) >= 4
    assert sum(node.metric("kilonova_saga_turns_total", kind="boot", event="step_done") for node in conductors) >= 20
    assert {node.metric("kilonova_hosts") for node in conductors} == {20.0}
    assert all(node.metric("kilonova_heartbeat_age_seconds") < 60 for node in conductors)
    assert nodes["scheduler-1"].metric("kilonova_bus_handled_seconds_count", message="Place") >= 4
    assert nodes["agent-1"].metric("kilonova_bus_handled_seconds_count", message="EnsureServer") >= 4
    assert nodes["api-1"].metric("kilonova_database_commits_total") > 0
    assert clients[0].http.get("/metrics").status_code == 404  # that port is everybody's
    assert {node.metric("kilonova_bus_connected") for node in nodes.values()} == {1.0}
    binaries = {one["binary"] for one in clients[0].ok("GET", "/os-services")["services"]}
    assert binaries == {"nova-conductor", "nova-scheduler", "nova-compute"}


def test_a_conductor_killed_in_the_middle_of_boots_leaves_none_behind(
    running: Fleet, clients: list[Client], image: str
) -> None:
    with load(clients, image) as asked:
        asked.wait_accepted(10)
        running.nodes["conductor-1"].kill()
        asked.wait_accepted(10)
    assert asked.refused == []
    assert_all_active(clients[1], asked.accepted)


def test_any_process_stopped_in_good_order_ends_well_and_costs_nobody_anything(
    running: Fleet, clients: list[Client], image: str
) -> None:
    with load([clients[0]], image) as asked:
        for name in ("conductor-1", "scheduler-1", "agent-1", "api-2"):
            asked.wait_accepted(3)
            node = running.nodes[name]
            assert node.stop() == 0, node.tail()
            assert node.lines()[-1]["event"] == "stopped"
            asked.wait_accepted(3)
            node.start()
            node.wait_ready()
    assert asked.refused == []
    assert asked.unheard == 0
    assert_all_active(clients[0], asked.accepted)


def test_postgresql_restarted_under_load_is_a_503_for_a_moment_and_no_more(
    running: Fleet, clients: list[Client], image: str, engines: fleet.Engines
) -> None:
    assert engines.cluster is not None
    with load(clients, image) as asked:
        asked.wait_accepted(10)
        engines.cluster.go_away()
        try:
            wait_until(lambda: len(asked.refused) > 5, "requests are refused")
            amiss = {"agent": set(), "conductor": {"database", "name"}}
            for node in running.nodes.values():
                wrong = amiss.get(node.kind, {"database"})
                assert wait_until(
                    lambda n=node, w=wrong: set(n.problems() or ()) == w, f"{node.name}: {wrong} is wrong"
                )
        finally:
            engines.cluster.come_back()
        asked.wait_accepted(10)
    assert {status for status, _ in asked.refused} == {503}
    assert all(retry_after and int(retry_after) > 0 for _, retry_after in asked.refused)
    running.wait_ready()
    names = [name for name in clients[0].statuses() if name.startswith(asked._prefix)]
    assert set(asked.accepted) <= set(names)
    assert_all_active(clients[0], names)


def test_rabbitmq_restarted_under_load_costs_time_and_nothing_else(
    running: Fleet, clients: list[Client], image: str, engines: fleet.Engines
) -> None:
    assert engines.broker is not None
    with load(clients, image) as asked:
        asked.wait_accepted(10)
        engines.broker.kill()
        asked.wait_accepted(5)
        assert "bus" in (running.nodes["api-1"].problems() or {})
        engines.broker.start()
        asked.wait_accepted(5)
    assert asked.refused == []
    running.wait_ready()
    assert all(node.metric("kilonova_bus_reconnects_total") >= 1 for node in running.nodes.values())
    assert_all_active(clients[0], asked.accepted)
