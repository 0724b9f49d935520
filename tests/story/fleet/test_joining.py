"""
Hosts that join a real fleet with a token, work with nothing but what they were given then, and are taken out again.

All of this fleet speaks TLS to RabbitMQ, of an authority that the system does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kilonova.agent.credential import Membership, read_membership
from kilonova.cli.main import cli
from kilonova.rpc.amqp import AmqpBus
from kilonova.rpc.messages import Heartbeat
from tests import fleet
from tests.fleet import Client, Fleet
from tests.waiting import wait_until

HOSTS = ("rack-1", "rack-2")
ROOM = "/kilonova/v1/hosts"


@pytest.fixture(scope="module")
def joined(engines: fleet.Engines, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A fleet with two hosts that came in by token, their agents running."""
    with engines.fleet(tmp_path_factory.mktemp("joined")) as made:
        broker = engines.broker
        assert broker is not None
        made.env = {
            "KILONOVA_BUS_URL": broker.over_tls(made.bus_url),
            "KILONOVA_BUS_MANAGEMENT_URL": broker.over_tls(broker.management_url).replace("://", "://guest:guest@"),
            "KILONOVA_BUS_CA_FILE": str(broker.authority.path),
        }
        made.start("api", "conductor", "scheduler")
        made.db("upgrade")
        made.wait_ready()
        for name in HOSTS:
            join(made, name, token(made.client()))
            start_agent(made, name)
        made.wait_hosts(len(HOSTS))
        yield made


def token(client: Client, **about: Any) -> str:
    answer = client.http.post(f"{ROOM}/tokens", json={"token": about}).raise_for_status()
    return str(answer.json()["token"]["text"])


def join(whole: Fleet, name: str, text: str) -> None:
    folder = whole.folder / name
    words = ["host", "join", whole.nodes["api-1"].url, text, "--name", name, "--config-dir", str(folder)]
    done = CliRunner().invoke(cli, [*words, "--bus-cacert", whole.env["KILONOVA_BUS_CA_FILE"]])
    assert done.exit_code == 0, done.output


def start_agent(whole: Fleet, name: str) -> None:
    """With no other way to the bus than the one it was given."""
    folder = whole.folder / name
    whole.start(
        "agent", KILONOVA_AGENT_CREDENTIAL_DIR=str(folder), KILONOVA_AGENT_DATA_DIR=str(folder / "data"),
        KILONOVA_BUS_URL="amqps://nobody:nothing@127.0.0.1:1/none",
    )  # fmt: skip


def membership(whole: Fleet, name: str) -> Membership:
    return read_membership(Path(whole.folder / name))


def rows(client: Client) -> dict[str, dict[str, Any]]:
    found = client.http.get(ROOM).raise_for_status().json()["hosts"]
    return {row["name"]: row for row in found}


def refusals(client: Client, sender: str) -> set[tuple[str, str]]:
    found = client.http.get(f"{ROOM}/refusals", params={"sender": sender}).raise_for_status().json()["refusals"]
    return {(one["what"], one["about"]) for one in found}


def active_server(client: Client, name: str, image: str) -> dict[str, Any]:
    assert client.boot(name, image).status_code == 202
    wait_until(lambda: client.statuses().get(name) not in (None, "BUILD"), f"{name} is built", 60)
    servers = client.ok("GET", f"/servers/detail?name={name}")["servers"]
    assert [one["status"] for one in servers] == ["ACTIVE"], servers
    found: dict[str, Any] = servers[0]
    return found


def delete(client: Client, server: dict[str, Any]) -> None:
    client.ok("DELETE", f"/servers/{server['id']}")
    wait_until(lambda: server["name"] not in client.statuses(), f"{server['name']} is gone", 60)


@pytest.fixture(scope="module")
def bits(joined: Fleet) -> str:
    return joined.client().image()


def test_servers_live_and_die_on_hosts_that_joined_and_none_is_ever_refused(joined: Fleet, bits: str) -> None:
    client = joined.client()
    assert {name: row["state"] for name, row in rows(client).items()} == dict.fromkeys(HOSTS, "up")
    assert all(row["joined_at"] for row in rows(client).values())
    servers = [active_server(client, f"vm-{number}", bits) for number in range(4)]
    assert {one["OS-EXT-SRV-ATTR:host"] for one in servers} == set(HOSTS)
    for server in servers:
        delete(client, server)
    assert wait_until(lambda: client.orphans() == {}, "no orphans", 30)
    assert [refusals(client, f"host.{name}") for name in HOSTS] == [set(), set()]


def test_a_host_that_speaks_for_another_is_refused_and_written_down(joined: Fleet) -> None:
    bus = AmqpBus(membership(joined, "rack-1").bus_url)
    bus.cast("conductor", Heartbeat(hosts=("rack-2",)))
    client = joined.client()
    wait_until(lambda: ("Heartbeat", "rack-2") in refusals(client, "host.rack-1"), "the lie is written down", 30)
    bus.close()


def test_a_host_reads_the_bits_of_its_servers_image_and_no_others(joined: Fleet, bits: str) -> None:
    client = joined.client()
    server = active_server(client, "reader", bits)
    own = str(server["OS-EXT-SRV-ATTR:host"])
    other = next(name for name in HOSTS if name != own)
    for name, status in ((own, 200), (other, 403)):
        given = membership(joined, name)
        answer = client.http.get(
            f"{ROOM}/self/images/{bits}", auth=(given.name, given.secret), headers={"X-Auth-Token": ""}
        )
        assert answer.status_code == status, answer.text[:300]
    assert ("image", bits) in refusals(client, f"host.{other}")
    delete(client, server)


def test_a_host_goes_when_it_is_empty_and_stays_out_until_it_joins_again(joined: Fleet, bits: str) -> None:
    client = joined.client()
    server = active_server(client, "last", bits)
    host = str(server["OS-EXT-SRV-ATTR:host"])
    kept = client.http.delete(f"{ROOM}/{host}")
    assert kept.status_code == 409, kept.text
    delete(client, server)
    assert client.http.delete(f"{ROOM}/{host}").status_code == 204
    assert host not in rows(client)
    agent = joined.nodes[f"agent-{HOSTS.index(host) + 1}"]
    wait_until(agent.problems, "the agent has lost the bus", 60)
    assert host not in rows(client)
    agent.stop()
    join(joined, host, token(client))  # a new token: the old name is free
    agent.start()
    wait_until(lambda: rows(client).get(host, {}).get("state") == "up", f"{host} is back", 60)
