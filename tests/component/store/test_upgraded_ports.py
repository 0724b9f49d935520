"""Ports of a running cloud come through the step that gives servers' ports a column of their own."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, text

from kilonova.store.database import Database
from kilonova.store.schema import ensure_schema, upgrade

ALIVE, GONE = "s-alive", "s-gone"
PORTS: dict[str, dict[str, Any]] = {
    "made": {
        "device_id": ALIVE,
        "device_owner": "compute:nova",
        "host": "h1",
        "made_by_compute": True,
        "status": "ACTIVE",
    },
    "own": {"device_id": ALIVE, "device_owner": "compute:", "host": "h1", "status": "ACTIVE", "nic_order": 1},
    "planted": {"device_id": ALIVE, "device_owner": "Compute:nova", "host": "h1", "status": "ACTIVE"},
    "named": {"device_id": ALIVE, "device_owner": ""},
    "of the dead": {"device_id": GONE, "device_owner": "compute:nova", "host": "h1", "made_by_compute": True},
    "of nobody": {"device_id": "s-never", "device_owner": "compute:nova", "host": "h2"},
    "router": {"device_id": "r1", "device_owner": "network:router_interface"},
}


def insert(connection: Connection, table: str, **values: Any) -> None:
    """A row with what is not given as small as can be."""
    rows = connection.execute(text(f"SELECT * FROM {table} LIMIT 0"))  # noqa: S608 - our own names
    known = {name: value for name, value in values.items() if name in rows.keys()}  # noqa: SIM118
    names = ", ".join(f'"{name}"' for name in known)
    marks = ", ".join(f":{name}" for name in known)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), known)  # noqa: S608


def port(connection: Connection, name: str, **values: Any) -> None:
    insert(connection, "ports", **{
        "id": name, "network_id": "n", "project_id": "p", "name": name, "description": "", "mac": f"mac {name}"[:17],
        "admin_up": True, "status": "DOWN", "host": None, "port_security": True, "allowed_pairs": "[]",
        "extra_dhcp_opts": "[]", "vnic_type": "normal", "binding_profile": "{}", "dns_name": "", "made_by_compute": False,
        "nic_order": 0, "tags": "[]", "created_at": 0, "updated_at": 0, **values,
    })  # fmt: skip


def fill(connection: Connection) -> None:
    """A server, one that was deleted, and every kind of port that there may be."""
    for number, (ident, lifecycle) in enumerate([(ALIVE, "built"), (GONE, "deleted")], 1):
        insert(
            connection, "servers", id=ident, number=number, project_id="p", user_id="u", name="s", hostname="s", flavor="{}",
            metadata="{}", system_metadata="{}", config_drive=False, personality="{}", disk_config="AUTO", locked=False,
            tags="[]", trusted_certs="[]", hints="{}", security_groups="[]", root_device="/dev/vda", reservation_id="r",
            launch_index=0, lifecycle=lifecycle, intent="active", power_state=1, progress=0, generation=0, created_at=0,
            updated_at=0, deleted_at=1 if lifecycle == "deleted" else None,
        )  # fmt: skip
    insert(
        connection, "networks", id="n", project_id="p", name="n", description="", admin_up=True, shared=False,
        external=False, is_default=False, port_security=True, mtu=1500, kind="flat", dns_domain="", zone_hints="[]",
        tags="[]", created_at=0, updated_at=0,
    )  # fmt: skip
    for name, values in PORTS.items():
        port(connection, name, **values)
    insert(
        connection, "subnets", id="sub", network_id="n", project_id="p", name="", description="", ip_version=4,
        cidr="10.0.0.0/24", dhcp=True, pools="[]", dns="[]", routes="[]", tags="[]", created_at=0, updated_at=0,
    )  # fmt: skip
    insert(connection, "fixed_ips", subnet_id="sub", address="10.0.0.2", port_id="made", position=0)


def test_servers_keep_their_ports_and_planted_ones_are_free(empty: Database) -> None:
    upgrade(empty, "0011")
    with empty.engine.begin() as connection:
        fill(connection)
    ensure_schema(empty)
    with empty.engine.connect() as connection:
        found = {
            row.id: tuple(row)[1:] for row in connection.execute(text("SELECT id, server_id, host, status FROM ports"))
        }
        assert connection.execute(text("SELECT address FROM fixed_ips")).scalars().all() == ["10.0.0.2"]
    assert found == {
        "made": (ALIVE, "h1", "ACTIVE"),
        "own": (ALIVE, "h1", "ACTIVE"),
        "planted": (None, None, "DOWN"),
        "named": (None, None, "DOWN"),
        "of the dead": (None, "h1", "DOWN"),  # `kilonova audit` counts it
        "of nobody": (None, None, "DOWN"),
        "router": (None, None, "DOWN"),
    }


def test_ports_that_the_previous_release_writes_meanwhile_are_bound(empty: Database) -> None:
    if empty.is_sqlite:
        pytest.skip("an embedded cloud is one process, of one release")
    upgrade(empty, "0011")
    with empty.engine.begin() as connection:
        fill(connection)
    ensure_schema(empty)

    def bound(ident: str) -> str | None:
        found: str | None = connection.execute(
            text("SELECT server_id FROM ports WHERE id = :id"), {"id": ident}
        ).scalar()
        return found

    with empty.engine.begin() as connection:
        port(connection, "new", device_id=ALIVE, device_owner="compute:nova", made_by_compute=True, nic_order=2)
        assert bound("new") == ALIVE
        take = "UPDATE ports SET device_id = :of, device_owner = :owner WHERE id = 'router'"
        connection.execute(text(take), {"of": ALIVE, "owner": "Compute:nova"})
        assert bound("router") is None
        connection.execute(text(take), {"of": "r1", "owner": ""})
        connection.execute(text(take), {"of": ALIVE, "owner": "compute:nova"})
        assert bound("router") == ALIVE
        connection.execute(text(take), {"of": "", "owner": ""})
        assert bound("router") is None
