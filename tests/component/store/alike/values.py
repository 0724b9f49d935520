"""
Values that are hard to treat alike, by type and by name; all of them follow from a number, so that both engines get the same.

A name says what a text is (`server_id` is the id of a server that there is, mostly), a type what shape a value has: structs are
made field by field.
"""

from __future__ import annotations

import types
import typing
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Union

import msgspec

TEXTS = (
    "a", "A", "", " ", "a ", " a", "Ä", "ä", "e\u0301", "é", "ß", "ẞ", "ss", "İ", "i", "\u0131", "I", "Z", "z", "_", "%", "a%b",
    "a_b", "aXb", "\\", "a\\", "'", '"', 'q"a', '","', "[a]", "a\nb", "\t", "10", "9", "-1", "0", "null", "true", "日本",
    "\U0001f600", "\u202e", "Compute:nova", "compute:nova", "a-b", "ab", "a.b", "~", "\x7f", "\uffff", "z" * 30,
)  # fmt: skip
"""Case, blanks, accents in two forms, wildcards, quotes, digits, letters beyond 16 bits: what collations and LIKE differ on."""
SMALL = (0, 1, 2, 7, 100, 10**9)
START = datetime(2026, 1, 1, tzinfo=UTC)
INSTANTS = (
    START, START + timedelta(microseconds=1), START - timedelta(days=1), START, datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)  # fmt: skip
PROJECTS = ("p1", "P1", "p1 ", "é", "p2")
USERS = tuple(f"user-{i}" for i in range(5))
HOSTS = ("h1", "H1", "h1 ", "h_", "hé", "a-host", "ahost")
ADDRESSES = ("10.0.0.1", "10.0.0.10", "fd00::1", "192.0.2.255", "10.0.0.2")
ROWS = 12


def ident(table: str, number: int) -> str:
    """The id of a table's row of this number."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{table} {number % ROWS}"))


_TABLES = {
    "server_id": "servers", "network_id": "networks", "port_id": "ports", "subnet_id": "subnets", "host_id": "hosts",
    "image_id": "images", "saga_id": "sagas", "role_id": "roles", "service_id": "services", "thing_id": "networks",
    "flavor_id": "flavors", "token_id": "host_join_tokens", "subject_id": "servers", "aggregate_id": "aggregates",
    "remote_group": "security_groups", "of_server": "servers", "upload": "uploads", "command_id": "commands",
}  # fmt: skip
_WORDS: dict[str, Sequence[str]] = {
    "host": HOSTS, "node": HOSTS, "zone": ("nova", "Nova", "z1"), "availability_zone": ("nova", "Nova"), "sender": HOSTS,
    "project_id": PROJECTS, "owner": PROJECTS, "member": PROJECTS, "whose": PROJECTS, "not_of": PROJECTS, "user_id": USERS,
    "address": ADDRESSES, "gateway": ADDRESSES, "action": ("lock", "unlock", "boot"), "step": ("place", "network", "spawn"),
    "mac": tuple(f"fa:16:3e:00:00:{i:02x}" for i in range(ROWS)), "binary": ("nova-conductor", "nova-scheduler"),
    "resource": ("network", "subnet", "port", "security_group", "security_group_rule"), "purpose": ("token", "seal"),
    "cidr": tuple(f"10.{i}.0.0/24" for i in range(ROWS)), "visibility": ("public", "private", "shared", "community"),
    "direction": ("ingress", "egress"), "ethertype": ("IPv4", "IPv6"), "vnic_type": ("normal",),
    "disk_config": ("AUTO", "MANUAL"), "policy": ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"),
    "device_owner": ("compute:nova", "Compute:nova", "", "network:dhcp"), "member_status": ("accepted", "pending", "all"),
    "ended": ("server_action",), "boot_id": ("b1", "B1", ""), "locked_reason": TEXTS,
}  # fmt: skip


def text(name: str, number: int, longest: int | None = None) -> str:
    """A text that fits what the name says it is."""
    if name in _TABLES and number % 7 != 6:
        return ident(_TABLES[name], number)
    chosen = _WORDS.get(name, TEXTS)
    return chosen[number % len(chosen)][:longest]


def made(of: Any, number: int, name: str = "") -> Any:  # noqa: PLR0911 - one for each kind of type
    """A value of a type."""
    origin, inside = typing.get_origin(of), typing.get_args(of)
    if origin is typing.Annotated:
        return made(inside[0], number, name)
    if origin is typing.Literal:
        return inside[number % len(inside)]
    if origin in (Union, types.UnionType):
        return None if type(None) in inside and number % 4 == 3 else made(inside[0], number, name)
    if origin in (dict, Mapping):
        return {made(inside[0], number + i): made(inside[1], number + i) for i in range(number % 3)}
    if origin is tuple and (len(inside) != 2 or inside[1] is not Ellipsis):
        return tuple(made(one, number + i) for i, one in enumerate(inside))
    if origin in (tuple, list, set, frozenset, Sequence, Iterable, Collection):
        several = [made(inside[0], number + i, _single(name)) for i in range(number % 4)]
        kind: Any = origin if origin in (tuple, list, set, frozenset) else list
        return kind(several)
    return _plain(of, number, name)


def _single(name: str) -> str:
    return {"names": "host", "hosts_named": "host", "ids": "thing_id", "idents": "user_id", "words": "group_id"}.get(
        name, name.removesuffix("s").replace("addresse", "address")
    )


def _plain(of: Any, number: int, name: str) -> Any:  # noqa: PLR0911 - one for each type
    if of is str:
        return text(name, number)
    if of is bool:
        return bool(number % 2)
    if of is int:
        return number % ROWS if name in ("number", "generation", "seen_generation") else SMALL[number % len(SMALL)]
    if isinstance(of, type) and issubclass(of, Enum):
        return list(of)[number % len(list(of))]
    if isinstance(of, type) and issubclass(of, msgspec.Struct):
        return of(**{field.name: made(field.type, number + i, field.name) for i, field in enumerate(_fields(of))})
    if isinstance(of, type) and issubclass(of, tuple) and hasattr(of, "_fields"):
        hints = typing.get_type_hints(of)
        return of(*(made(hints[field], number, field) for field in of._fields))
    simple: dict[Any, Any] = {
        float: float(number % 5),
        datetime: INSTANTS[number % len(INSTANTS)],
        timedelta: timedelta(seconds=number),
        bytes: b"\xff\x00",
        msgspec.Raw: msgspec.Raw(b"{}"),
        object: text(name, number),
        Any: text(name, number),
    }
    return simple[of]


def _fields(of: type[msgspec.Struct]) -> Sequence[Any]:
    return msgspec.structs.fields(of)
