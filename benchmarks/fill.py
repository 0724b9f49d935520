"""
Makes a cloud look as if it had booted very many servers: what one boot left in the records, over and over under other ids.

The rows of a server booted through the API are copied: its record with what it is made of, port, address and groups, its saga and
its journal. The copies are spread over the hosts, which are told of the machines, and have allocations of nothing there, so that
there is room for more; quota use is left as it is. The cloud must be stopped.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from itertools import islice
from typing import Any

import msgspec

from benchmarks.simcloud import SimCloud
from kilonova.agent.hypervisor.sim.machines import Machine
from kilonova.domain.server import PowerState

NETWORK = "10.0.0.0/8"
"""What the cloud's network must be for the copies to have addresses."""

_FIRST_ADDRESS = int(IPv4Address("10.128.0.1"))
_BATCH = 5000
Row = dict[str, Any]


def fill(cloud: SimCloud, count: int, from_number: int = 0) -> str:
    """Have `count` copies more of the newest server; gives the id of one in the middle. `from_number`: copies made before."""
    records = sqlite3.connect(cloud.data_dir / "kilonova.db", isolation_level=None)
    records.row_factory = sqlite3.Row
    records.execute("PRAGMA synchronous=OFF")
    try:
        template = dict(records.execute("SELECT * FROM servers ORDER BY number DESC LIMIT 1").fetchone())
        ids = [str(uuid.uuid4()) for _ in range(count)]
        host_ids = dict(records.execute("SELECT name, id FROM hosts").fetchall())
        copies = _Copies(template["number"], from_number, host_ids)
        records.execute("BEGIN")
        for table, where, change in _TABLES:
            for found in records.execute(f"SELECT * FROM {table} WHERE {where}", (template["id"],)).fetchall():  # noqa: S608
                row = dict(found)
                _copy(records, table, (row | change(copies, new, i, row) for i, new in enumerate(ids)))
        records.execute("UPDATE counters SET value = value + ? WHERE name = 'servers'", (count,))
        records.execute("COMMIT")
        records.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        _tell_hosts(cloud, template, ids)
        return ids[count // 2]
    finally:
        records.close()


class _Copies:
    """How the rows of one server become another's, table by table. `new` is the copy's id, `i` its number from 0."""

    def __init__(self, top: int, before: int, host_ids: dict[str, str]) -> None:
        self._top, self._before, self._hosts, self._host_ids = top, before, len(host_ids), host_ids

    def server(self, new: str, i: int, _row: Row) -> Row:
        host = _host(i, self._hosts)
        name = f"copy-{self._before + i}"
        return {"id": new, "number": self._top + 1 + i, "name": name, "hostname": name, "host": host, "node": host}

    def port(self, new: str, i: int, row: Row) -> Row:
        mac = _mac(self._before + i)
        return {
            "id": _other(row["id"], new),
            "server_id": new,
            "device_id": new,
            "mac": mac,
            "host": _host(i, self._hosts),
        }

    def address(self, new: str, i: int, row: Row) -> Row:
        address = IPv4Address(_FIRST_ADDRESS + self._before + i)
        return {"port_id": _other(row["port_id"], new), "address": str(address)}

    def allocation(self, new: str, i: int, _row: Row) -> Row:
        host_id = self._host_ids[_host(i, self._hosts)]
        return {"server_id": new, "host_id": host_id, "vcpus": 0, "ram_mib": 0, "disk_gib": 0}

    def of_server(self, new: str, _i: int, _row: Row) -> Row:
        return {"server_id": new}

    def saga(self, new: str, _i: int, row: Row) -> Row:
        return {"id": _other(row["id"], new), "server_id": new}

    def of_port(self, new: str, _i: int, row: Row) -> Row:
        return {"port_id": _other(row["port_id"], new)}

    def of_saga(self, new: str, _i: int, row: Row) -> Row:
        return {"saga_id": _other(row["saga_id"], new)}


# Tables in the order of need, what of them belongs to a server, and what becomes of it.
_TABLES: tuple[tuple[str, str, Callable[[_Copies, str, int, Row], Row]], ...] = (
    ("servers", "id = ?", _Copies.server),
    ("request_specs", "server_id = ?", _Copies.of_server),
    ("block_devices", "server_id = ?", _Copies.of_server),
    ("claims", "server_id = ?", _Copies.allocation),
    ("ports", "server_id = ?", _Copies.port),
    ("fixed_ips", "port_id IN (SELECT id FROM ports WHERE server_id = ?)", _Copies.address),
    ("port_security_groups", "port_id IN (SELECT id FROM ports WHERE server_id = ?)", _Copies.of_port),
    ("sagas", "server_id = ?", _Copies.saga),
    ("saga_events", "saga_id IN (SELECT id FROM sagas WHERE server_id = ?)", _Copies.of_saga),
)


def _copy(records: sqlite3.Connection, table: str, rows: Iterator[Row]) -> None:
    while batch := list(islice(rows, _BATCH)):
        names = list(batch[0])
        statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - ours
        records.executemany(statement, [tuple(row.values()) for row in batch])


def _tell_hosts(cloud: SimCloud, template: Row, ids: list[str]) -> None:
    """A host that did not know of its machines would be told to make them, all at once, when the cloud starts."""
    for first in range(cloud.hosts):
        machines = cloud.data_dir / "hosts" / _host(first, cloud.hosts) / "machines.jsonl"
        with machines.open("ab") as file:
            for ident in ids[first :: cloud.hosts]:
                power_state = PowerState(template["power_state"])
                machine = Machine(server_id=ident, generation=template["generation"], power_state=power_state)
                file.write(msgspec.json.encode(machine) + b"\n")


def _host(copy: int, hosts: int) -> str:
    return f"sim-{copy % hosts + 1}"


def _other(ident: str, server_id: str) -> str:
    """The id that stands for `ident` beside a copy of its server."""
    return str(uuid.uuid5(uuid.UUID(server_id), ident))


def _mac(number: int) -> str:
    text = f"{0x020000000000 + number:012x}"
    return ":".join(text[i : i + 2] for i in range(0, 12, 2))
