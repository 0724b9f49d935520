"""
What this host is to have of the networks, as it was told last, and the arithmetic on it: merge, take away, index.

The records are one file, written whole before anything on the host changes: after `kill -9` or a reboot the agent reads it
and converges, so nobody has to be asked. Everything but `RecordFile` is pure.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from kilonova.domain.hostnet import GroupSpec, HostNetwork, NetworkSpec, PortSpec


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """The host's share, and the sysctls that we changed, each with the value that it had before."""

    share: HostNetwork = HostNetwork()
    sysctls: dict[str, str] = {}


class RecordFile:
    """Keeps `Records` in a file. A reader sees the old text or the new, never half of one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Records:
        """The records; empty when there are none. Raises msgspec.DecodeError when the file is not ours."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Records)
        except FileNotFoundError:
            return Records()

    def exists(self) -> bool:
        """Whether there are any."""
        return self._path.exists()

    def write(self, records: Records) -> None:
        """Replace the records, durably."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        with part.open("wb") as file:
            file.write(msgspec.json.encode(records))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)

    def delete(self) -> None:
        """Forget it all."""
        self._path.unlink(missing_ok=True)
        self._path.with_suffix(".part").unlink(missing_ok=True)


def merged(share: HostNetwork, part: HostNetwork) -> HostNetwork:
    """
    `share` with `part`'s networks and ports in place of those of the same id, and its groups added to what is known of them.
    Of a network that it knows in a newer generation it keeps that: two messages may have overtaken each other.

    A part may leave out groups that this host has, so no group is forgotten here: only the whole state says that something is no
    more. One that it speaks of, it tells wholly.
    """
    networks = {network.id: network for network in share.networks}
    for network in part.networks:
        if network.id not in networks or network.generation >= networks[network.id].generation:
            networks[network.id] = network
    ports = {port.id: port for port in (*share.ports, *part.ports)}
    groups = {group.id: group for group in (*share.groups, *part.groups)}
    return _ordered(networks.values(), ports.values(), groups.values())


def updated(share: HostNetwork, part: HostNetwork) -> HostNetwork:
    """
    `share` with what it has of `part` in its newer form.

    A change may arrive after the server that it was about has gone: it must not bring its port or network back.
    """
    networks, ports = {one.id for one in share.networks}, {one.id for one in share.ports}
    known = HostNetwork(
        networks=tuple(one for one in part.networks if one.id in networks),
        ports=tuple(one for one in part.ports if one.id in ports),
        groups=part.groups,
    )
    return merged(share, known)


def without_server(share: HostNetwork, server_id: str) -> HostNetwork:
    """`share` without the server's ports, and without the networks that they were the last on."""
    gone = [port for port in share.ports if port.server_id == server_id]
    ports = tuple(port for port in share.ports if port.server_id != server_id)
    left_alone = {port.network_id for port in gone} - {port.network_id for port in ports}
    members = {(port.network_id, address) for port in gone for address in port.addresses}
    groups = tuple(_without_members(group, members) for group in share.groups)
    networks = tuple(network for network in share.networks if network.id not in left_alone)
    return _ordered(networks, ports, groups)


def tidied(share: HostNetwork) -> HostNetwork:
    """A whole state in a fixed order, without groups that no port of this host has or is let through by."""
    by_id = {group.id: group for group in share.groups}
    own = {group_id for port in share.ports for group_id in port.groups}
    remote = {rule.remote_group for group_id in own & by_id.keys() for rule in by_id[group_id].rules}
    needed = [group for group in share.groups if group.id in own or group.id in remote]
    return _ordered(share.networks, share.ports, needed)


def members(share: HostNetwork) -> dict[tuple[str, str], tuple[str, ...]]:
    """
    The addresses of each (group, network)'s members: as told, and those of the ports on this host.

    Two boots at the same time are each told the members of their own moment; the ports here are known for sure.
    """
    told = {(group.id, on): set(addresses) for group in share.groups for on, addresses in group.members_on.items()}
    for port in share.ports:
        for group_id in port.groups:
            told.setdefault((group_id, port.network_id), set()).update(port.addresses)
    return {key: tuple(sorted(addresses)) for key, addresses in told.items()}


def servers_by_address(share: HostNetwork) -> dict[tuple[str, str], str]:
    """The server behind each (network id, address)."""
    return {(port.network_id, address): port.server_id for port in share.ports for address in port.addresses}


def ports_on(share: HostNetwork, network_id: str) -> tuple[PortSpec, ...]:
    """The network's ports on this host."""
    return tuple(port for port in share.ports if port.network_id == network_id)


def _ordered(networks: Iterable[NetworkSpec], ports: Iterable[PortSpec], groups: Iterable[GroupSpec]) -> HostNetwork:
    return HostNetwork(
        networks=tuple(sorted(networks, key=lambda network: network.id)),
        ports=tuple(sorted(ports, key=lambda port: port.id)),
        groups=tuple(sorted(groups, key=lambda group: group.id)),
    )


def _without_members(group: GroupSpec, gone: set[tuple[str, str]]) -> GroupSpec:
    kept = {
        on: tuple(address for address in addresses if (on, address) not in gone)
        for on, addresses in group.members_on.items()
    }
    return group if kept == group.members_on else msgspec.structs.replace(group, members_on=kept)
