"""A fleet's database is put back from pg_dump, as docs/fleet.md says, while its hosts run on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import fleet
from tests.databases import postgres_programs
from tests.facts import REPOSITORY
from tests.fleet import Client
from tests.waiting import wait_until

PLANE = ("api-1", "conductor-1", "scheduler-1")


def documented(program: str, url: str, file: Path) -> None:
    """Run a command of the document's, on this database and file."""
    text = (REPOSITORY / "docs" / "fleet.md").read_text()
    (command,) = re.findall(rf"^{program} (.*)$", text, re.MULTILINE)
    programs = postgres_programs()
    assert programs is not None
    words = [word.replace("URL", url).replace("FILE", str(file)) for word in command.split()]
    subprocess.run([str(programs / program), *words], check=True, timeout=120)


def open_port(client: Client, number: int) -> str:
    """A rule that lets everybody in at a port; its id."""
    networking = "/networking/v2.0"
    groups = client.http.get(f"{networking}/security-groups?name=default").raise_for_status().json()["security_groups"]
    project = client.http.get("/identity/v3/auth/tokens", headers={"X-Subject-Token": client.token}).json()
    mine = next(one["id"] for one in groups if one["project_id"] == project["token"]["project"]["id"])
    rule = {"security_group_id": mine, "direction": "ingress", "protocol": "tcp", "port_range_min": number}
    rule["port_range_max"] = number
    made = client.http.post(f"{networking}/security-group-rules", json={"security_group_rule": rule})
    return str(made.raise_for_status().json()["security_group_rule"]["id"])


def network_of(agent: fleet.Node) -> list[dict[str, Any]]:
    """What the agent's log says of its joining anew."""
    return [line for line in agent.lines() if "joining anew" in line["event"]]


def test_a_fleet_goes_on_from_a_dump_and_its_hosts_follow(engines: fleet.Engines, tmp_path: Path) -> None:
    dump = tmp_path / "kilonova.dump"
    with engines.fleet(tmp_path) as made:
        made.db("upgrade")
        made.start("api", "conductor", "scheduler")
        made.start("agent", KILONOVA_AGENT_HOSTS="2")
        made.wait_ready()
        made.wait_hosts(2)
        client = made.client()
        image = client.image()
        assert client.boot("kept", image).status_code == 202
        wait_until(lambda: client.statuses() == {"kept": "ACTIVE"}, "a server is active")
        documented("pg_dump", made.database_url, dump)

        assert client.boot("later", image).status_code == 202
        wait_until(lambda: client.statuses().get("later") == "ACTIVE", "another one is active")
        open_port(client, 22)

        for name in PLANE:
            assert made.nodes[name].stop() == 0
        assert engines.cluster is not None
        engines.cluster.renew(made.database_url)
        documented("pg_restore", made.database_url, dump)
        told = made.db("new-epoch").stderr
        assert "A new epoch of the records has begun" in told
        for name in PLANE:
            made.nodes[name].start()
        made.wait_ready()

        assert client.statuses() == {"kept": "ACTIVE"}
        open_port(client, 80)
        agent = made.nodes["agent-1"]
        wait_until(lambda: network_of(agent), "the host of the server hears of the new epoch")
        (kept,) = client.ok("GET", "/servers")["servers"]
        client.ok("DELETE", f"/servers/{kept['id']}")
        wait_until(lambda: client.statuses() == {}, "the server goes")
        assert client.boot("new", image).status_code == 202
        wait_until(lambda: client.statuses() == {"new": "ACTIVE"}, "a new one comes")


def test_an_epoch_cannot_begin_where_there_are_no_tables(engines: fleet.Engines, tmp_path: Path) -> None:
    with engines.fleet(tmp_path) as made, pytest.raises(AssertionError, match=r"no tables yet.*kilonova db upgrade"):
        made.db("new-epoch")
