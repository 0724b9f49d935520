"""
What a list of servers may be filtered and sorted by, and by whom.

A filter a caller may not use is ignored, as Nova does, until unknown keys are refused (2.75: unknown ones only). Which filters
everybody may use grew with the microversions; an administrator may use them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET

from kilonova.api.compute.patterns import check_pattern
from kilonova.api.framework import Maybe, Request, SortedPageQuery, since, wire
from kilonova.api.framework.types import read_flag, read_int, read_time
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied, InvalidField, Rejected
from kilonova.domain.status import STATUSES
from kilonova.store.queries.server_filters import ServerFilter

_MAX_INT = 2**31 - 1


class ListServers(SortedPageQuery, strict=since("2.75")):
    """Filters, by the names clients know. Those of later versions are ignored before."""

    name: Maybe[str] = UNSET
    status: Maybe[list[str]] = UNSET
    image: Maybe[str] = UNSET
    flavor: Maybe[str] = UNSET
    ip: Maybe[str] = UNSET
    ip6: Maybe[str] = UNSET
    reservation_id: Maybe[str] = UNSET
    changes_since: Annotated[Maybe[str], wire("changes-since")] = UNSET
    changes_before: Annotated[Maybe[str], wire("changes-before"), since("2.66")] = UNSET
    all_tenants: Maybe[str] = UNSET
    tags: Annotated[Maybe[str], since("2.26")] = UNSET
    tags_any: Annotated[Maybe[str], wire("tags-any"), since("2.26")] = UNSET
    not_tags: Annotated[Maybe[str], wire("not-tags"), since("2.26")] = UNSET
    not_tags_any: Annotated[Maybe[str], wire("not-tags-any"), since("2.26")] = UNSET
    locked: Annotated[Maybe[str], since("2.73")] = UNSET
    user_id: Maybe[str] = UNSET
    project_id: Maybe[str] = UNSET
    tenant_id: Maybe[str] = UNSET
    launch_index: Maybe[str] = UNSET
    image_ref: Maybe[str] = UNSET
    kernel_id: Maybe[str] = UNSET
    ramdisk_id: Maybe[str] = UNSET
    hostname: Maybe[str] = UNSET
    key_name: Maybe[str] = UNSET
    power_state: Maybe[str] = UNSET
    vm_state: Maybe[list[str]] = UNSET
    task_state: Maybe[list[str]] = UNSET
    host: Maybe[str] = UNSET
    node: Maybe[str] = UNSET
    launched_at: Maybe[str] = UNSET
    terminated_at: Maybe[str] = UNSET
    created_at: Maybe[str] = UNSET
    availability_zone: Maybe[str] = UNSET
    display_name: Maybe[str] = UNSET
    description: Maybe[str] = UNSET
    display_description: Maybe[str] = UNSET
    locked_by: Maybe[str] = UNSET
    uuid: Maybe[str] = UNSET
    root_device_name: Maybe[str] = UNSET
    config_drive: Maybe[str] = UNSET
    access_ip_v4: Maybe[str] = UNSET
    access_ip_v6: Maybe[str] = UNSET
    auto_disk_config: Maybe[str] = UNSET
    progress: Maybe[str] = UNSET
    deleted: Maybe[str] = UNSET
    soft_deleted: Maybe[str] = UNSET
    block_device_mapping: Maybe[str] = UNSET
    services: Maybe[str] = UNSET
    metadata: Maybe[str] = UNSET
    system_metadata: Maybe[str] = UNSET
    info_cache: Maybe[str] = UNSET
    security_groups: Maybe[str] = UNSET
    pci_devices: Maybe[str] = UNSET


OPEN_EARLY = frozenset({
    "name", "status", "image", "flavor", "ip", "reservation_id", "changes_since", "changes_before", "tags", "tags_any",
    "not_tags", "not_tags_any", "locked",
})  # fmt: skip
"""Filters that everybody may use, where they exist."""
OPEN_FROM_2_5 = OPEN_EARLY | {"ip6"}
OPEN_FROM_2_83 = OPEN_FROM_2_5 | {
    "availability_zone", "config_drive", "key_name", "created_at", "launched_at", "terminated_at", "power_state", "task_state",
    "vm_state", "progress", "user_id",
}  # fmt: skip


def _small(text: str) -> int:
    value = read_int(text)
    if abs(value) > _MAX_INT:
        raise ValueError(f"{value} is too large")
    return value


_PATTERNS = {"name": "name", "display_name": "name", "description": "description", "display_description": "description",
             "hostname": "hostname", "node": "node", "access_ip_v4": "access_ip_v4", "access_ip_v6": "access_ip_v6",
             "root_device_name": "root_device"}  # fmt: skip
_EXACT: Mapping[str, tuple[str, Any]] = {
    "image": ("image_id", str), "image_ref": ("image_id", str), "user_id": ("user_id", str), "project_id": ("project_id", str),
    "tenant_id": ("project_id", str), "launch_index": ("launch_index", _small), "reservation_id": ("reservation_id", str),
    "key_name": ("key_name", str), "power_state": ("power_state", _small), "host": ("host", str), "uuid": ("id", str),
    "availability_zone": ("zone", str), "config_drive": ("config_drive", read_flag), "progress": ("progress", _small),
    "locked": ("locked", read_flag), "launched_at": ("launched_at", read_time), "terminated_at": ("terminated_at", read_time),
    "created_at": ("created_at", read_time),
    "auto_disk_config": ("disk_config", lambda text: "AUTO" if read_flag(text) else "MANUAL"),
}  # fmt: skip

SORT_NAMES: Mapping[str, str] = {
    **{name: name for name in (
        "access_ip_v4", "access_ip_v6", "availability_zone", "config_drive", "created_at", "host", "hostname", "key_name",
        "launch_index", "launched_at", "node", "power_state", "progress", "project_id", "task_state", "terminated_at",
        "updated_at", "user_id", "vm_state",
    )},
    "auto_disk_config": "disk_config", "display_description": "description", "display_name": "name", "image_ref": "image_id",
    "instance_type_id": "number", "kernel_id": "image_id", "locked_by": "locked", "ramdisk_id": "image_id",
    "root_device_name": "root_device", "uuid": "id", "locked": "locked",
}  # fmt: skip
"""What clients may sort by, and the column it is."""
ADMIN_SORT_NAMES = frozenset({"host", "node"})


class Asked:
    """The readable part of a query: only the filters this caller may use."""

    def __init__(self, req: Request[None, ListServers], open_to_all: frozenset[str]) -> None:
        self._all = req.can("os_compute_api:servers:allow_all_filters")
        self._values = {
            name: value
            for name in req.query.__struct_fields__
            if (value := getattr(req.query, name)) is not UNSET and (self._all or name in open_to_all)
        }

    def get(self, name: str) -> Any:
        """A filter's value, None when it was not sent or is not this caller's to use."""
        return self._values.get(name)

    def read(self, name: str, reader: Any) -> Any:
        """A filter's value as `reader` reads it. Raises InvalidField."""
        try:
            return reader(self._values[name])
        except ValueError as problem:
            raise InvalidField(name, str(problem)) from None

    def __contains__(self, name: str) -> bool:
        return name in self._values


def scope_of(req: Request[None, ListServers], rule: str) -> RequestContext:
    """The caller, across all projects where asked for and allowed. Raises InvalidField or Denied."""
    asked = req.query.all_tenants
    if asked is UNSET:
        return req.ctx
    try:
        wanted = asked == "" or read_flag(asked)
    except ValueError as problem:
        raise InvalidField("all_tenants", str(problem)) from None
    if not wanted:
        return req.ctx
    req.authorize(f"{rule}:get_all_tenants")
    return req.ctx.across_projects()


def filter_of(asked: Asked, ctx: RequestContext, *, refuse_unknown_status: bool) -> ServerFilter | None:
    """The filter to list by; None when nothing can match it. Raises Rejected for values that cannot be read."""
    exact = {column: asked.read(name, reader) for name, (column, reader) in _EXACT.items() if name in asked}
    if not ctx.all_projects:
        exact.pop("project_id", None)
    patterns = {column: check_pattern(name, asked.get(name)) for name, column in _PATTERNS.items() if name in asked}
    statuses = _statuses(asked.get("status"), refuse_unknown=refuse_unknown_status)
    if statuses == ():
        return None
    since_when, before = _time(asked, "changes_since"), _time(asked, "changes_before")
    if since_when and before and before < since_when:
        raise Rejected("The value of changes-since must be less than or equal to changes-before.")
    return ServerFilter(
        exact=exact, patterns=patterns, flavor_id=asked.get("flavor"), statuses=statuses,
        vm_states=_states(asked.get("vm_state")), task_states=_tasks(asked.get("task_state")),
        system_metadata={f"image_{name}": asked.get(name) for name in ("kernel_id", "ramdisk_id") if name in asked},
        ip=_pattern(asked, "ip"), ip6=_pattern(asked, "ip6"), tags=_tags(asked.get("tags")),
        tags_any=_tags(asked.get("tags_any")),
        not_tags=_tags(asked.get("not_tags")), not_tags_any=_tags(asked.get("not_tags_any")), changes_since=since_when,
        changes_before=before, deleted=_deleted(asked, ctx, statuses, since_when),
    )  # fmt: skip


def _deleted(
    asked: Asked, ctx: RequestContext, statuses: tuple[str, ...] | None, since_when: datetime | None
) -> bool | None:
    """Deleted servers are listed for administrators, and for everybody among recent changes."""
    if statuses and "DELETED" in statuses:
        if not ctx.is_admin:
            raise Denied("Only administrators may list deleted instances")
        return None
    if "deleted" in asked:
        return bool(asked.read("deleted", read_flag))
    return None if since_when is not None else False


def _statuses(sent: list[str] | None, *, refuse_unknown: bool) -> tuple[str, ...] | None:
    if sent is None:
        return None
    wanted = [status.upper() for status in sent]
    known = tuple(status for status in wanted if status in _KNOWN)
    if refuse_unknown and len(known) < len(wanted):
        raise Rejected("Invalid status value")
    return known


_KNOWN = frozenset(STATUSES.values()) | {
    "REBOOT", "HARD_REBOOT", "PASSWORD", "REBUILD", "MIGRATING", "RESIZE", "VERIFY_RESIZE", "REVERT_RESIZE", "RESCUE",
    "SOFT_DELETED", "SHELVED", "SHELVED_OFFLOADED", "UNKNOWN",
}  # fmt: skip


def _states(sent: list[str] | None) -> tuple[str, ...] | None:
    return None if sent is None else tuple(sent)


def _tasks(sent: list[str] | None) -> tuple[str | None, ...] | None:
    return None if sent is None else tuple(None if task.lower() in ("none", "null", "") else task for task in sent)


def _tags(sent: str | None) -> tuple[str, ...]:
    return tuple(tag for tag in (sent or "").split(",") if tag)


def _time(asked: Asked, name: str) -> datetime | None:
    found: datetime | None = asked.read(name, read_time) if name in asked else None
    return found


def _pattern(asked: Asked, name: str) -> str | None:
    return check_pattern(name, asked.get(name)) if name in asked else None
