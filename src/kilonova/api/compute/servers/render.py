"""
From server records to views: a constant number of queries however many servers there are.

What a list needs beside the rows (addresses, security groups, hosts) is read for all of it at once. Policy questions that are the
same for every server of the caller's own are asked once a project.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from msgspec import UNSET

from kilonova.api.compute.common import Link, Named, bookmark, links
from kilonova.api.compute.servers import views
from kilonova.api.framework import Request
from kilonova.api.framework.types import iso_us, iso_z
from kilonova.domain.host import Host, is_alive
from kilonova.domain.network import ServerAddress
from kilonova.domain.server import Server
from kilonova.domain.status import status_of
from kilonova.network import addresses
from kilonova.store.database import Tx
from kilonova.store.queries import hosts_view, server_groups

_WITH_PROGRESS = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
_WITH_FAULT = frozenset({"ERROR", "DELETED"})
_NOT_PROPERTIES = frozenset(
    f"image_{name}" for name in ("base_image_ref", "min_ram", "min_disk", "disk_format", "container_format")
)
_SHOW = "os_compute_api:servers:show"
_ATTRIBUTES = "os_compute_api:os-extended-server-attributes"


class Rights:
    """What the caller may see of one project's servers."""

    def __init__(self, req: Request[Any, Any], project_id: str) -> None:
        target = {"project_id": project_id, "user_id": None}
        self.attributes = req.can(_ATTRIBUTES, target)
        self.extra_specs = req.can(f"{_SHOW}:flavor-extra-specs", target)
        self.host_status = req.can(f"{_SHOW}:host_status", target)
        self.unknown_only = self.host_status or req.can(f"{_SHOW}:host_status:unknown-only", target)


class Rendering:
    """The neighbours of some servers, read once, and the views made from both."""

    def __init__(
        self, req: Request[Any, Any], tx: Tx, servers: Sequence[Server], now: datetime, *, memberships: bool = False
    ) -> None:
        ids = [server.id for server in servers]
        self._req, self._now = req, now
        self._bookmarks: dict[tuple[str, str], list[Link]] = {}
        self._addresses = addresses.for_servers(tx, ids)
        self._groups = addresses.group_names(tx, ids)
        self._memberships = server_groups.of_servers(tx, ids) if memberships else None
        self._rights = {project_id: Rights(req, project_id) for project_id in {server.project_id for server in servers}}
        wants_hosts = any(rights.unknown_only for rights in self._rights.values())
        names = {server.host for server in servers if server.host} if wants_hosts else set()
        self._hosts: Mapping[str, Host] = hosts_view.by_names(tx, names) if names else {}

    def detail(self, server: Server) -> views.ServerView:
        """A server in full; with its server group where `memberships` were asked for, which lists do not."""
        shown = status_of(server)
        status = shown.status
        rights = self._rights[server.project_id]
        named = self._groups.get(server.id)
        view = views.ServerView(
            id=server.id, name=server.name, status=status, tenant_id=server.project_id, user_id=server.user_id,
            metadata=server.metadata, host_id=host_id(server.project_id, server.host), image=self._image(server),
            flavor=self._flavor(server, rights), created=iso_z(server.created_at) or "", updated=iso_z(server.updated_at) or "",
            access_ip_v4=server.access_ip_v4 or "", access_ip_v6=server.access_ip_v6 or "",
            links=links(self._req, "servers", server.id), disk_config=server.disk_config,
            progress=server.progress if status in _WITH_PROGRESS else UNSET,
            fault=self._fault(server) if status in _WITH_FAULT else UNSET, locked=server.locked,
            description=server.description, tags=list(server.tags),
            trusted_image_certificates=list(server.trusted_certs) or None, server_groups=self._server_groups(server),
            locked_reason=server.locked_reason, pinned_availability_zone=server.availability_zone,
            scheduler_hints=server.hints, addresses=_by_network(self._addresses.get(server.id, ())),
            key_name=server.key_name, config_drive="True" if server.config_drive else "",
            security_groups=[Named(name=name) for name in named] if named else UNSET, volumes=[],
            zone=server.zone or server.availability_zone or "", power_state=int(shown.power_state),
            task_state=shown.task_state, vm_state=shown.vm_state, launched_at=iso_us(server.launched_at),
            terminated_at=iso_us(server.terminated_at), hostname=server.hostname,
            host_status=self._host_status(server, rights),
        )  # fmt: skip
        if rights.attributes:
            _add_attributes(view, server)
        return view

    def updated(self, server: Server) -> views.UpdatedView:
        """A server as PUT answered until 2.74."""
        full = self.detail(server)
        plain = {
            name: [views.Address(version=one.version, addr=one.addr) for one in held]
            for name, held in full.addresses.items()
        }
        core = {name: getattr(full, name) for name in views.CoreView.__struct_fields__}
        return views.UpdatedView(**core, addresses=plain)

    def _server_groups(self, server: Server) -> Any:
        if self._memberships is None:
            return UNSET
        found = self._memberships.get(server.id)
        return [found] if found else []

    def _image(self, server: Server) -> str | views.ImageView:
        if server.image_id is None:
            return ""
        properties = {
            key[6:]: value
            for key, value in server.system_metadata.items()
            if key.startswith("image_") and key not in _NOT_PROPERTIES
        }
        return views.ImageView(
            id=server.image_id, links=self._bookmark("images", server.image_id), properties=properties
        )

    def _flavor(self, server: Server, rights: Rights) -> views.FlavorView:
        flavor = server.flavor
        return views.FlavorView(
            id=flavor.id, links=self._bookmark("flavors", flavor.id), vcpus=flavor.vcpus, ram=flavor.ram_mib,
            disk=flavor.disk_gib, ephemeral=flavor.ephemeral_gib, swap=flavor.swap_mib, original_name=flavor.name,
            extra_specs=flavor.extra_specs if rights.extra_specs else UNSET,
        )  # fmt: skip

    def _bookmark(self, collection: str, ident: str) -> list[Link]:
        """Many servers share an image and a flavor, and so their links."""
        found = self._bookmarks.get((collection, ident))
        if found is None:
            found = self._bookmarks[collection, ident] = [bookmark(self._req, collection, ident)]
        return found

    def _fault(self, server: Server) -> Any:
        fault = server.fault
        if fault is None:
            return UNSET
        tells = fault.details and (fault.code != 500 or self._req.ctx.is_admin)
        return views.FaultView(
            code=fault.code, created=iso_z(fault.created_at) or "", message=fault.message,
            details=fault.details if tells else UNSET,
        )  # fmt: skip

    def _host_status(self, server: Server, rights: Rights) -> Any:
        if not rights.unknown_only:
            return UNSET
        status = _status_of_host(self._hosts.get(server.host or ""), self._now)
        return status if rights.host_status or status == "UNKNOWN" else UNSET


def _add_attributes(view: views.ServerView, server: Server) -> None:
    facts = server.system_metadata
    view.host, view.node, view.instance_name = server.host, server.node, server.instance_name
    view.reservation_id, view.launch_index = server.reservation_id, server.launch_index
    view.kernel_id, view.ramdisk_id = facts.get("image_kernel_id", ""), facts.get("image_ramdisk_id", "")
    view.root_device_name, view.user_data = server.root_device, server.user_data
    view.hostname_for_admin = server.hostname


def _by_network(held: Sequence[ServerAddress]) -> dict[str, list[views.FullAddress]]:
    found: dict[str, list[views.FullAddress]] = {}
    for one in held:
        view = views.FullAddress(version=one.version, addr=one.address, mac=one.mac, kind="fixed")
        found.setdefault(one.network, []).append(view)
    return found


def _status_of_host(host: Host | None, now: datetime) -> str:
    if host is None:
        return ""
    if host.forced_down:
        return "DOWN"
    if host.disabled:
        return "MAINTENANCE"
    return "UP" if is_alive(host.seen_at, now, forced_down=host.forced_down) else "UNKNOWN"


@lru_cache(maxsize=65536)
def host_id(project_id: str, host: str | None) -> str:
    """A host's name as a tenant may see it: the same for all of his servers there, and telling nothing."""
    return hashlib.sha224(f"{project_id}{host}".encode()).hexdigest() if host else ""
