"""
The ports of a server, as its boot and its delete need them.

Everything here runs in the saga's own transaction and may run again: a port is known by its server and its place among the
server's interfaces, so a second `allocate` finds what the first one made. Ports that Kilonova made are deleted with the server;
a user's own are only taken and given back. A MAC is drawn at random and drawn again when the network has it already.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from kilonova.domain.boot import NicRequest
from kilonova.domain.clock import Ids
from kilonova.domain.errors import Missing
from kilonova.domain.network import Network, Port, ServerForNetwork
from kilonova.network import numbers, quotas
from kilonova.network.addressing import AddressBook
from kilonova.network.errors import MacAddressInUse, PortInUse
from kilonova.store.database import Tx
from kilonova.store.queries import networks, ports

_MAC_ATTEMPTS = 16


class Allocator:
    """Makes, takes and gives back the ports of servers, within one transaction."""

    def __init__(self, tx: Tx, ids: Ids, now: datetime) -> None:
        self._tx, self._ids, self._now = tx, ids, now

    def allocate(
        self, server: ServerForNetwork, nics: Sequence[NicRequest], group_ids: Sequence[str]
    ) -> tuple[Port, ...]:
        """
        The server's ports, in the order of `nics`, bound to its host; `group_ids` are for those made here.

        Raises Missing (a network or port is gone), PortInUse, IpAddressInUse, IpAddressGenerationFailure (a pool is used up),
        OverQuota.
        """
        have = {port.nic_order: port for port in ports.of_server(self._tx, server.id)}
        lacking = [(order, nic) for order, nic in enumerate(nics) if order not in have]
        if lacking:
            if any(nic.port_id is not None for _, nic in lacking):
                self._take(server, [(order, nic) for order, nic in lacking if nic.port_id is not None])
                have = {port.nic_order: port for port in ports.of_server(self._tx, server.id)}
            made = self._make(server, [(order, nic) for order, nic in lacking if nic.port_id is None], group_ids)
            have |= {port.nic_order: port for port in made}
        if any(port.host != server.host for port in have.values()):
            bind(self._tx, server.id, server.host, self._now)
        return tuple(have[order] for order in sorted(have))

    def _take(self, server: ServerForNetwork, wanted: Sequence[tuple[int, NicRequest]]) -> None:
        found = ports.by_ids(self._tx, [nic.port_id for _, nic in wanted if nic.port_id], lock=True) if wanted else {}
        for order, nic in wanted:
            port = found.get(nic.port_id or "")
            if port is None:
                raise Missing("Port", nic.port_id)
            holder = port.server_id or port.device_id
            if holder not in ("", server.id):
                raise PortInUse(port.id, holder)
            changes = {
                "server_id": server.id, "device_id": server.id, "device_owner": owner_of(server), "host": server.host,
                "nic_order": order, "tag": nic.tag, "status": "DOWN",
            }  # fmt: skip
            ports.change(self._tx, port.id, changes, self._now)

    def _make(
        self, server: ServerForNetwork, wanted: Sequence[tuple[int, NicRequest]], group_ids: Sequence[str]
    ) -> list[Port]:
        if not wanted:
            return []
        made = []
        on = networks.by_ids(self._tx, [nic.network_id or "" for _, nic in wanted])
        book = AddressBook(self._tx, list(on))
        for order, nic in wanted:
            network = on.get(nic.network_id or "")
            if network is None:
                raise Missing("Network", nic.network_id)
            port = self.write(self._blank(server, network, order, nic.tag, group_ids))
            if nic.fixed_ip is None:
                given = book.give_any(network.id, port.id)
            else:
                given = book.give(network.id, port.id, [(None, nic.fixed_ip)])
            made.append(msgspec.structs.replace(port, fixed_ips=given))
        quotas.settle(self._tx, {(server.project_id, "port"): len(made)})
        return made

    def write(self, port: Port, *, keep_mac: bool = False) -> Port:
        """Write a new port, with another MAC if its own is in use; with `keep_mac` that is MacAddressInUse."""
        for _ in range(_MAC_ATTEMPTS):
            if ports.create(self._tx, port):
                return port
            if keep_mac:
                break
            port = msgspec.structs.replace(port, mac=numbers.mac_of(self._ids.uuid()))
        raise MacAddressInUse(port.network_id, port.mac)

    def _blank(
        self, server: ServerForNetwork, network: Network, order: int, tag: str | None, group_ids: Sequence[str]
    ) -> Port:
        return Port(
            id=self._ids.uuid(), network_id=network.id, project_id=server.project_id, name="", description="",
            mac=numbers.mac_of(self._ids.uuid()), fixed_ips=(), admin_up=True, status="DOWN", server_id=server.id,
            device_id=server.id, device_owner=owner_of(server), host=server.host, port_security=network.port_security,
            security_groups=tuple(group_ids) if network.port_security else (), allowed_pairs=(), extra_dhcp_opts=(),
            vnic_type="normal", binding_profile={}, dns_name="", made_by_compute=True, tag=tag, nic_order=order, tags=(),
            created_at=self._now, updated_at=self._now,
        )  # fmt: skip


def owner_of(server: ServerForNetwork) -> str:
    """The device_owner of a server's ports."""
    return f"compute:{server.zone}"


def bind(tx: Tx, server_id: str, host: str | None, now: datetime) -> None:
    """The server is on this host now, and so are its ports."""
    ports.change_of_server(tx, server_id, {"host": host, "status": "DOWN"}, now)


def activate(tx: Tx, server_id: str, now: datetime) -> None:
    """The server runs: its ports are ACTIVE."""
    ports.change_of_server(tx, server_id, {"status": "ACTIVE"}, now)


def release(tx: Tx, server_id: str, now: datetime) -> None:
    """Delete the ports made for the server, and give the user's own back. A second call finds nothing to do."""
    ports.delete_made(tx, server_id)
    free = {
        "server_id": None, "device_id": "", "device_owner": "", "host": None, "status": "DOWN", "nic_order": 0, "tag": None,
    }  # fmt: skip
    ports.change_of_server(tx, server_id, free, now)
