"""The route tables of every service, as data for tests: doors, the shapes of their bodies, and bodies with one thing wrong."""

from __future__ import annotations

import copy
import functools
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kilonova.api.framework import Route, Service, Version, openapi_document
from kilonova.bootstrap.cloud import Cloud
from kilonova.settings import CloudSettings

# None of these runs: a table is plain data.
SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in Cloud(CloudSettings(data_dir=Path(tempfile.gettempdir()), hypervisor="sim", sim_hosts=0)).services
}
COMPUTE_VERSIONS = ("2.1", "2.104")
NOBODY_ID = "11111111-2222-4333-8444-555555555555"


@dataclass(frozen=True)
class Door:
    """A way in: a route of a service, or one action of one."""

    service: str
    prefix: str
    route: Route

    @property
    def label(self) -> str:
        return f"{self.service} {self.route.label}"

    @property
    def versions(self) -> tuple[str, ...]:
        """The microversions to try it at."""
        if self.service != "compute":
            return ("",)
        tried = tuple(text for text in COMPUTE_VERSIONS if Version.parse(text) in self.route.versions)
        return tried or (str(self.route.versions.last or self.route.versions.first),)

    def path(self, values: Mapping[str, str] | None = None, default: str = NOBODY_ID) -> str:
        """Its whole path, with ids."""
        known = values or {}
        return self.prefix + re.sub(r"{(\w+)}", lambda name: known.get(name[1], default), self.route.path)


def _all() -> Iterator[Door]:
    for service in SERVICES.values():
        for route in service.routes:
            yield Door(service.name, service.mount + service.prefix, route)
        for route in service.root_routes:
            yield Door(service.name, service.mount, route)


DOORS = tuple(_all())


def each(doors: Iterator[Door] | list[Door] | tuple[Door, ...]) -> Any:
    """`parametrize` over doors, each named by its route."""
    named, seen = [], dict[str, int]()
    for door in doors:
        seen[door.label] = seen.get(door.label, 0) + 1
        suffix = f" #{seen[door.label]}" if seen[door.label] > 1 else ""
        named.append(pytest.param(door, id=(door.label + suffix).replace("/", "|")))
    return pytest.mark.parametrize("door", named)


# --- bodies -----------------------------------------------------------------------------------------------------------

WRONG: tuple[Any, ...] = (
    None, True, -1, 2**63, 10**30, 0.5, "", " ", "9" * 19, "-1", "a\nb", "\x01", "\x7f\u202e",
    "'; DROP TABLE servers;--", "../../etc/passwd",
    "%s%n{0}{{7*7}}", "fe80::1%\nx", "0001-01-01T00:00:00+14:00", "\U0001f4a5" * 40, "x" * 70_000, [], [None], [[]],
    {}, {"": ""},
    {"a": {"b": []}},
)  # fmt: skip

Known = Mapping[str, Any]
"""Values that properties of these names can have, so that a body gets beyond the first check."""

PLAUSIBLE: Known = {
    "cidr": "10.61.0.0/24", "gateway_ip": "10.61.0.1", "ip_address": "10.61.0.9", "fixed_ip": "10.42.0.200",
    "start": "10.61.0.10",
    "end": "10.61.0.20", "destination": "10.99.0.0/16", "nexthop": "10.61.0.1", "dns_nameservers": ["9.9.9.9"],
    "ip_version": 4,
    "mac_address": "fa:16:3e:00:00:01", "remote_ip_prefix": "10.0.0.0/8", "protocol": "tcp", "port_range_min": 22,
    "port_range_max": 23,
    "direction": "ingress", "ethertype": "IPv4", "accessIPv4": "10.0.0.1", "accessIPv6": "fd00::1", "flavorRef": "1",
    "imageRef": "",
    "networks": "none", "user_data": "IyE=", "contents": "eA==", "url": "http://127.0.0.1/x",
    "expires_at": "2030-01-02T03:04:05Z",
    "container_format": "bare", "disk_format": "raw", "binary": "nova-compute", "domain_id": "default",
    "parent_id": "default",
    "interface": "public", "region_id": "RegionOne", "opt_name": "mtu", "dns_name": "web", "device_owner": "network:x",
    "min_count": 1, "max_count": 1, "op": "replace", "path": "/name", "value": "x", "length": 5, "type": "ssh",
}  # fmt: skip


def bodies(door: Door, version: str, known: Known) -> Iterator[Any]:
    """
    Bodies that are right but for one value, each value in turn, with everything wrong that there is.

    What may be left out is tried one at a time, as many of those exclude each other.
    """
    schema, book = _schema_of(door, version)
    values = {**PLAUSIBLE, **known}
    least = sample(schema, book, values)
    yield from _with_one_wrong(least, ())
    envelope, inner = _inside(schema, book)
    for name, part in inner.get("properties", {}).items():
        if name not in inner.get("required", ()) and isinstance(replaced_at(least, envelope), dict):
            where = (*envelope, name)
            fuller = replaced(least, where, values.get(name) or sample(part, book, values, full=True))
            yield from _with_one_wrong(fuller, where)


def _schema_of(door: Door, version: str) -> tuple[dict[str, Any], dict[str, Any]]:
    service = SERVICES[door.service]
    document = _document(door.service, version)
    operation = document["paths"].get(service.prefix + door.route.path, {}).get(door.route.method.lower(), {})
    media = operation.get("requestBody", {}).get("content", {})
    schema = next(iter(media.values()), {}).get("schema", {})
    if door.route.action is not None:
        ways = schema.get("oneOf", [schema])
        schema = next(way for way in ways if door.route.action in way["properties"])
    return schema, document["components"]["schemas"]


@functools.cache
def _document(service: str, version: str) -> dict[str, Any]:
    return openapi_document(SERVICES[service], Version.parse(version) if version else None)


def _inside(schema: Mapping[str, Any], book: Mapping[str, Any]) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """The way through envelopes of one key to the object inside, and its schema."""
    where: tuple[str, ...] = ()
    while True:
        schema = book[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        names = list(schema.get("properties", {}))
        if len(names) != 1:
            return where, schema
        where, schema = (*where, names[0]), schema["properties"][names[0]]


def _with_one_wrong(right: Any, within: tuple[Any, ...]) -> Iterator[Any]:
    yield right
    for spot in spots(replaced_at(right, within), within):
        for wrong in WRONG:
            yield replaced(right, spot, wrong)


def replaced_at(value: Any, where: tuple[Any, ...]) -> Any:
    """What is at a place."""
    for key in where:
        value = value[key] if isinstance(value, dict) and key in value else None
    return value


def sample(  # noqa: C901, PLR0911 -- one way for each kind of schema
    schema: Mapping[str, Any], book: Mapping[str, Any], known: Known, *, depth: int = 0, full: bool = False
) -> Any:
    """A value that a schema allows: with what it requires, or (`full`) with all that it names."""

    def inner(part: Mapping[str, Any]) -> Any:
        return sample(part, book, known, depth=depth + 1, full=full)

    if name := schema.get("$ref", "").rpartition("/")[2]:
        return inner(book[name])
    if "const" in schema or schema.get("enum"):
        return schema.get("const", (schema.get("enum") or [None])[0])
    for way in ("oneOf", "anyOf", "allOf"):
        if way in schema:
            return inner(next(one for one in schema[way] if one.get("type") != "null"))
    if depth > 8:
        return None
    match schema.get("type"):
        case "object" if "properties" in schema:
            parts = schema["properties"]
            wanted = parts if full or depth == 0 or len(parts) == 1 else schema.get("required", ())
            return {name: known[name] if name in known else inner(parts[name]) for name in wanted}
        case "object":
            return {"key": inner(schema.get("additionalProperties") or {"type": "string"})}
        case "array":
            return [inner(schema.get("items") or {"type": "string"})]
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            return "2026-01-02T03:04:05Z" if schema.get("format") == "date-time" else "x" * schema.get("minLength", 1)


def spots(value: Any, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value inside another, itself included."""
    yield where
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from spots(part, (*where, key))


def replaced(value: Any, where: tuple[Any, ...], new: Any) -> Any:
    """A copy with one place holding something else."""
    if not where:
        return new
    made = copy.deepcopy(value)
    inner = made
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = new
    return made
