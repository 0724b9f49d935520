"""Making, changing and deleting ports by hand; those of servers are made by `allocate`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from kilonova.domain.context import RequestContext
from kilonova.domain.network import Network, Port
from kilonova.network import numbers, port_rules, quotas
from kilonova.network.addressing import AddressBook
from kilonova.network.allocate import Allocator
from kilonova.network.changes import Changes
from kilonova.network.defaults import ensure_default_group
from kilonova.network.errors import MacAddressInUse, PortBound, ServicePortInUse
from kilonova.network.scoping import found, owner
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import networks, ports, security_groups

Wanted = tuple[tuple[str | None, str | None], ...]


class NewPort(msgspec.Struct, frozen=True, kw_only=True):
    """A port as asked for. `fixed_ips`, pairs of a subnet and an address, either None; UNSET is one of each IP version."""

    network_id: str
    project_id: str | None = None
    name: str = ""
    description: str = ""
    mac: str | None = None
    fixed_ips: Wanted | UnsetType = UNSET
    admin_up: bool = True
    device_id: str = ""
    device_owner: str = ""
    port_security: bool | None = None
    security_groups: tuple[str, ...] | UnsetType = UNSET
    allowed_pairs: tuple[tuple[str, str | None], ...] = ()
    extra_dhcp_opts: tuple[tuple[str, str | None, int], ...] = ()
    vnic_type: str = "normal"
    binding_profile: dict[str, object] = {}
    dns_name: str = ""
    tags: tuple[str, ...] = ()


class Ports:
    """The verbs of ports. Raises the errors of `network.errors` and `port_rules`, Denied, Missing and OverQuota."""

    def __init__(self, runtime: Runtime, changes: Changes) -> None:
        self._runtime, self._changes = runtime, changes

    def create(self, ctx: RequestContext, wanted: Sequence[NewPort]) -> list[Port]:
        """Make all of these ports, or none."""
        with self._runtime.db.write() as tx:
            made = [self._create(tx, ctx, one) for one in wanted]
            quotas.settle(tx, Counter((one.project_id, "port") for one in made))
            return made

    def _create(self, tx: Tx, ctx: RequestContext, wanted: NewPort) -> Port:
        network = found(networks.keep(tx, ctx, wanted.network_id), "Network", wanted.network_id)
        project_id = owner(ctx, wanted.project_id)
        port = self._blank(tx, ctx, network, msgspec.structs.replace(wanted, project_id=project_id))
        port = Allocator(tx, self._runtime.ids, port.created_at).write(port, keep_mac=wanted.mac is not None)
        book = AddressBook(tx, [network.id])
        if wanted.fixed_ips is UNSET:
            given = book.give_any(network.id, port.id)
        else:
            given = book.give(network.id, port.id, wanted.fixed_ips)
        made = msgspec.structs.replace(port, fixed_ips=given)
        self._changes.of_members(tx, [made])
        return made

    def _blank(self, tx: Tx, ctx: RequestContext, network: Network, wanted: NewPort) -> Port:
        port_rules.check_owner(wanted.device_owner)
        port_rules.check_vnic_type(wanted.vnic_type)
        now = self._runtime.clock.now()
        mac = wanted.mac or numbers.mac_of(self._runtime.ids.uuid())
        is_secure = network.port_security if wanted.port_security is None else wanted.port_security
        groups = self._groups(tx, ctx, wanted, is_secure=is_secure)
        port_rules.check_security(groups, wanted.allowed_pairs, is_secure=is_secure)
        fields = msgspec.structs.asdict(wanted) | {
            "id": self._runtime.ids.uuid(), "mac": mac, "fixed_ips": (), "status": "DOWN", "host": None, "server_id": None,
            "port_security": is_secure, "security_groups": groups,
            "allowed_pairs": port_rules.read_pairs(wanted.allowed_pairs, mac),
            "extra_dhcp_opts": port_rules.merge_options((), wanted.extra_dhcp_opts), "made_by_compute": False, "tag": None,
            "nic_order": 0, "created_at": now, "updated_at": now,
        }  # fmt: skip
        return Port(**fields)

    def _groups(self, tx: Tx, ctx: RequestContext, wanted: NewPort, *, is_secure: bool) -> tuple[str, ...]:
        if wanted.security_groups is not UNSET:
            return _known_groups(tx, ctx, wanted.security_groups)
        if not is_secure or wanted.project_id is None:
            return ()
        now = self._runtime.clock.now()
        return (ensure_default_group(tx, wanted.project_id, ids=self._runtime.ids, now=now).id,)

    def update(self, ctx: RequestContext, port_id: str, changes: Mapping[str, Any]) -> Port:
        """Write changed fields; `fixed_ips` and `security_groups` become exactly what is said."""
        with self._runtime.db.write() as tx:
            before = found(ports.find(tx, ctx, port_id, lock=True), "Port", port_id)
            columns = _checked(tx, ctx, before, changes)
            now = self._runtime.clock.now()
            if "security_groups" in columns:
                ports.set_groups(tx, port_id, columns.pop("security_groups"))
            if "fixed_ips" in columns:
                _move(tx, before, columns.pop("fixed_ips"))
            if columns.get("mac", before.mac) != before.mac and ports.has_mac(tx, before.network_id, columns["mac"]):
                raise MacAddressInUse(before.network_id, columns["mac"])
            ports.change(tx, port_id, columns, now)
            after = found(ports.find(tx, ctx, port_id), "Port", port_id)
            self._tell(tx, before, after)
            return after

    def delete(self, ctx: RequestContext, port_id: str) -> None:
        """Delete a port that no server has."""
        with self._runtime.db.write() as tx:
            port = found(ports.find(tx, ctx, port_id, lock=True), "Port", port_id)
            if port.server_id is not None:
                raise ServicePortInUse(port.id, port.server_id)
            ports.delete_one(tx, port_id)
            self._changes.of_members(tx, [port])

    def _tell(self, tx: Tx, before: Port, after: Port) -> None:
        """Its own host of anything; others when it came, went or moved in a group."""
        self._changes.of_port(tx, after.id)
        if (before.fixed_ips, before.security_groups) != (after.fixed_ips, after.security_groups):
            self._changes.of_members(tx, [before, after])


def _known_groups(tx: Tx, ctx: RequestContext, group_ids: Sequence[str]) -> tuple[str, ...]:
    """The groups, each once and locked, so that none goes away meanwhile. Raises Missing."""
    for group_id in sorted(set(group_ids)):
        found(security_groups.find(tx, ctx, group_id, lock=True), "SecurityGroup", group_id)
    return tuple(dict.fromkeys(group_ids))


def _checked(tx: Tx, ctx: RequestContext, before: Port, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes in canonical form, each checked against what stays."""
    checked = dict(changes)
    is_bound = before.server_id is not None
    for field in ("device_id", "device_owner", "mac"):
        if is_bound and checked.get(field, getattr(before, field)) != getattr(before, field):
            raise PortBound(
                f"Unable to complete operation on port {before.id}: it belongs to server {before.server_id}, "
                f"and its {field} stays as it is until the server gives it back."
            )
    if not is_bound:
        port_rules.check_owner(checked.get("device_owner", ""))
    port_rules.check_vnic_type(checked.get("vnic_type", "normal"))
    if "security_groups" in checked:
        checked["security_groups"] = _known_groups(tx, ctx, checked["security_groups"])
    if "allowed_pairs" in checked:
        checked["allowed_pairs"] = port_rules.read_pairs(checked["allowed_pairs"], checked.get("mac", before.mac))
    if "extra_dhcp_opts" in checked:
        checked["extra_dhcp_opts"] = port_rules.merge_options(before.extra_dhcp_opts, checked["extra_dhcp_opts"])
    port_rules.check_security(
        checked.get("security_groups", before.security_groups), checked.get("allowed_pairs", before.allowed_pairs),
        is_secure=checked.get("port_security", before.port_security),
    )  # fmt: skip
    return checked


def _move(tx: Tx, port: Port, wanted: Wanted) -> None:
    """Give the port these addresses instead; where only a subnet is named, it keeps one that it has there."""
    named = {address for _, address in wanted}
    have = [one for one in port.fixed_ips if one.address not in named]
    kept = []
    for subnet_id, address in wanted:
        old = next((one for one in have if address is None and one.subnet_id == subnet_id), None)
        if old is not None:
            have.remove(old)
        kept.append((subnet_id, address if old is None else old.address))
    book = AddressBook(tx, [port.network_id])
    ports.take_addresses(tx, port.id)
    book.give(port.network_id, port.id, kept)
