"""The official `openstack` command with its placement plugin as the judge: a small cloud on a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from kilonova.api import identity
from kilonova.api.framework import Policy, Rim
from kilonova.api.placement.policies import POLICIES
from kilonova.domain.clock import SystemClock
from kilonova.identity.bootstrap import CatalogService, ensure_first_start
from kilonova.store.database import Database
from tests import databases
from tests.fakes.identity import SERVICES, make_identity
from tests.openstack_client import Client, openstack
from tests.story.placement.world import SERVER, World

STOP_S = 20
CATALOG = (*SERVICES, CatalogService("placement", "placement", "/placement"))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with databases.sqlite(tmp_path) as made:
        yield made


@pytest.fixture
def admin(database: Database, tmp_path: Path) -> Iterator[Client]:
    """An administrator's command line."""
    world = World(database)
    who, made = make_identity(database, SystemClock())
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    with database.write() as tx:
        ensure_first_start(tx, who, base, CATALOG)
    app = Rim(
        [identity.identity_service(who), world.service], authenticator=who.authenticator,
        policy=Policy((*identity.POLICIES, *POLICIES)),
    )  # fmt: skip
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        with openstack(f"{base}/identity", "admin", made.admin_password, tmp_path) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(STOP_S)
        listening.close()
        assert not thread.is_alive()


def test_the_command_line_reads_and_sets(admin: Client) -> None:
    api = ("--os-placement-api-version", "1.39")
    listed = admin.ask(*api, "resource", "provider", "list")
    assert [one["name"] for one in listed] == ["h1", "h2"]
    host = listed[0]["uuid"]
    assert admin.ask(*api, "resource", "provider", "show", host)["name"] == "h1"
    held = admin.ask(*api, "resource", "provider", "inventory", "list", host)
    assert {one["resource_class"]: one["total"] for one in held} == {"VCPU": 8, "MEMORY_MB": 16384, "DISK_GB": 100}
    used = admin.ask(*api, "resource", "provider", "usage", "show", host)
    assert {one["resource_class"]: one["usage"] for one in used} == {"VCPU": 2, "MEMORY_MB": 1024, "DISK_GB": 5}
    admin.do(*api, "trait", "create", "CUSTOM_GOLD")
    admin.do(*api, "resource", "provider", "trait", "set", "--trait", "CUSTOM_GOLD", host)
    assert {"name": "CUSTOM_GOLD"} in admin.ask(*api, "resource", "provider", "trait", "list", host)
    assert {"name": "CUSTOM_GOLD"} in admin.ask(*api, "trait", "list")
    assert len(admin.ask(*api, "resource", "class", "list")) > 20
    shown = admin.ask(*api, "resource", "provider", "allocation", "show", SERVER.id)
    assert [one["resource_provider"] for one in shown] == [host]
    found = admin.ask(*api, "allocation", "candidate", "list", "--resource", "VCPU=1", "--required", "CUSTOM_GOLD")
    assert [one["resource provider"] for one in found] == [host]
    admin.do(
        *api, "resource", "provider", "inventory", "class", "set", host, "DISK_GB", "--total", "100", "--reserved", "7"
    )
    held = admin.ask(*api, "resource", "provider", "inventory", "show", host, "DISK_GB")
    assert held["reserved"] == 7
    assert "hosts" in admin.run(*api, "resource", "provider", "delete", host).err


def test_the_command_line_asks_in_groups(admin: Client) -> None:
    api = ("--os-placement-api-version", "1.39")
    [second] = admin.ask(*api, "resource", "provider", "list", "--name", "h2")
    groups = (
        "--group",
        "1",
        "--resource",
        "DISK_GB=48",
        "--group",
        "2",
        "--resource",
        "DISK_GB=48",
        "--resource",
        "VCPU=1",
    )
    found = admin.ask(*api, "allocation", "candidate", "list", *groups)
    assert [one["allocation"] for one in found] == ["DISK_GB=96,VCPU=1"]
    assert [one["resource provider"] for one in found] == [second["uuid"]]
    assert admin.ask(*api, "allocation", "candidate", "list", *groups, "--group-policy", "isolate") == []
