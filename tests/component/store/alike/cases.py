"""What each named query is asked: made from its signature, and by hand where that says too little."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Table

from kilonova.domain.clock import Ids
from kilonova.domain.context import RequestContext
from kilonova.store import queries
from kilonova.store.queries import identity, network_rows
from kilonova.store.queries.keyset import Keyset
from kilonova.store.tables import metadata
from tests.component.store.alike import by_hand
from tests.component.store.alike.by_hand import KINDS
from tests.component.store.alike.values import INSTANTS, PROJECTS, ROWS, TEXTS, ident, made, text

Query = Callable[..., Any]
CASES = 24  # of a query, at least one for each value that a parameter may have
HELPERS = {
    "network_rows.change", "network_rows.remove", "network_rows.page", "network_rows.tuples", "keyset.page", "identity.add_once",
}  # fmt: skip
"""What others are made of; they are asked as those."""
CONTEXTS = [
    *(RequestContext(request_id="req", user_id="user-1", project_id=one) for one in PROJECTS),
    RequestContext(request_id="req", user_id="user-1", project_id=None),
    RequestContext.internal("test"),
]
_NOT_SORTED_BY = {"generation_at", "cursor"}  # no field of the things
_LISTED = {"networks": "networks", "subnets": "subnets", "ports": "ports", "security_groups": "security_groups"}


def every_query() -> dict[str, Query]:
    """Every public function of store/queries that is given a transaction, by `module.name`."""
    found: dict[str, Query] = {}
    for part in pkgutil.iter_modules(queries.__path__):
        module = importlib.import_module(f"{queries.__name__}.{part.name}")
        for name, thing in vars(module).items():
            is_own = inspect.isfunction(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
            if is_own and next(iter(inspect.signature(thing).parameters), "") == "tx":
                found[f"{part.name}.{name}"] = thing
    return {name: query for name, query in found.items() if name not in HELPERS}


def calls(name: str, query: Query) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """The arguments of each case. Raises KeyError for a parameter of a kind that nobody has told of yet."""
    hints = typing.get_type_hints(query)
    parameters = [one for one in inspect.signature(query).parameters.values() if one.name != "tx"]
    choices = {one.name: _choices(name, one.name, hints[one.name]) for one in parameters}
    count = max([CASES if parameters else 1, *(len(found) for found in choices.values() if isinstance(found, list))])
    for number in range(count):
        by_place: list[Any] = []
        by_name: dict[str, Any] = {}
        for at, one in enumerate(parameters):
            chosen = choices[one.name]
            # Each parameter goes round at its own pace, so that values meet in many ways.
            turn = number + at * (number // 5)
            value = chosen[turn % len(chosen)] if isinstance(chosen, list) else chosen(turn)
            if one.kind is one.VAR_KEYWORD:
                by_name |= value
            elif one.kind is one.VAR_POSITIONAL:
                by_place.append(value)
            elif one.kind is one.KEYWORD_ONLY:
                by_name[one.name] = value
            else:
                by_place.append(value)
        yield tuple(by_place), by_name


def _choices(query: str, name: str, of: Any) -> list[Any] | Callable[[int], Any]:
    """The values of a parameter: those told of by hand, else by its type."""
    module = query.partition(".")[0]
    for key in ((query, name), (module, name), name):
        if key in BY_HAND:
            return BY_HAND[key]
    if name == "listing" and module in _LISTED:
        return _listings(metadata.tables[_LISTED[module]])
    if name == "keyset":
        keys: Mapping[str, Any] = getattr(
            importlib.import_module(f"{queries.__name__}.{module}"), "SORT_KEYS", {"id": None}
        )
        return _keysets(keys, module)
    if of is Ids:
        return [Ids]  # made for each call, so that both engines begin with the same
    return lambda number: made(of, number, name)


def _keysets(keys: Mapping[str, Any], module: str) -> list[Keyset]:
    of = {"keypairs": "key_pairs", "hosts_view": "hosts"}.get(module, module)
    marker = text("name", 3) if module == "keypairs" else ident(of, 3)
    found = [Keyset(), Keyset(limit=3), Keyset(marker="nowhere"), Keyset(marker=marker), Keyset(limit=0)]
    for key in keys:
        for way in ("asc", "desc"):
            found += [Keyset(sort=((key, way),)), Keyset(sort=((key, way),), marker=marker, limit=5)]
    pairs = list(zip(list(keys), list(keys)[1:], strict=False))
    return [*found, *(Keyset(sort=((a, "asc"), (b, "desc")), marker=marker) for a, b in pairs)]


def _listings(table: Table) -> list[network_rows.Listing]:
    """Every column sorted by both ways, with a marker and back from it, and filtered by what it may hold."""
    listing = network_rows.Listing
    found = [
        listing(),
        listing(limit=2),
        listing(marker="nowhere"),
        listing(limit=2, marker=ident(table.name, 4), reverse=True),
    ]
    for column in table.columns:
        if column.name in _NOT_SORTED_BY or hasattr(column.type, "of"):
            continue
        found += [
            listing(sort=((column.name, way),), marker=ident(table.name, 5) if marked else None)
            for way in ("asc", "desc")
            for marked in (False, True)
        ]
        if column.type.python_type is str:
            found += [listing(filters={column.name: [one, text(column.name, at)]}) for at, one in enumerate(TEXTS[::5])]
        if column.type.python_type is bool:
            found += [listing(filters={column.name: [one]}) for one in (True, False)]
    if "tags" in table.columns:
        found += [
            listing(filters={how: [one]})
            for how in ("tags", "tags-any", "not-tags", "not-tags-any")
            for one in ("a", "A", "a,ä", 'q"a', "%", "")
        ]
    if table.name == "ports":
        found += [
            listing(filters={"fixed_ips": [f"{how}={one}"]})
            for how in ("ip_address", "ip_address_substr", "no such")
            for one in ("10.0.0.1", "fd", "_", "%", "F")
        ]
        found += [listing(filters={"mac": [one]}) for one in ("FA:16:3E:00:00:01", "fa%", "İ")]
    return [*found, *(listing(filters={"changed_since": [one]}) for one in INSTANTS)]


def _identity_listings(number: int) -> identity.Listing:
    how = ("contains", "startswith", "endswith", "icontains", "istartswith", "iendswith")[number % 6]
    word = TEXTS[(number // 6) % len(TEXTS)]
    names = ((how, word),) if number % 3 else ()
    return identity.Listing(name=names, limit=(None, 3)[number % 2])


def _things(number: int) -> msgspec.Struct:
    kinds = list(identity._TABLES)
    return made(kinds[number % len(kinds)], number + 40)


NAMED_KINDS: list[Any] = [one for one in KINDS if "name" in one.__struct_fields__]
BY_HAND: dict[Any, Any] = by_hand.BY_HAND | {
    "ctx": CONTEXTS,
    "limit": [1, 3, 1000],
    "offset": [0, 1, 5],
    ("network_changes", "kind"): ["network", "group"],
    ("networks", "kind"): ["flat", "vxlan", "Flat"],
    ("identity", "kind"): KINDS,
    ("identity.listed", "kind"): NAMED_KINDS,
    ("identity.named", "kind"): NAMED_KINDS,
    ("identity", "thing"): _things,
    ("identity", "listing"): [_identity_listings(number) for number in range(6 * len(TEXTS))],
    ("identity", "ident"): lambda number: ident(list(identity._TABLES.values())[number % len(KINDS)].name, number),
    ("identity", "idents"): lambda number: [
        ident(one.name, number + at) for one in identity._TABLES.values() for at in range(2)
    ],
    ("identity.change", "values"): [{}, {"name": "A"}, {"name": "é"}, {"description": "%"}],
    ("identity.named", "within"): [{}, {"domain_id": ident("domains", 1)}],
    ("identity.count", "within"): [{}, {"user_id": "user-1"}],
    ("providers", "kind"): ["custom_traits", "resource_classes"],
    ("network_quotas", "limits"): [{"network": 3}, {"network": -1, "port": 2**31 - 1}, {}],
    ("quotas", "values"): [{"cores": 3}, {"cores": -1, "ram": 2**31 - 1}, {}],
    ("quotas", "amounts"): [{"cores": 1}, {"cores": 2, "ram": 512}],
    ("quotas", "allowed"): [{"cores": 1, "ram": 10}, {"cores": -1, "ram": -1}, {"cores": 2**31 - 1, "ram": 2**31 - 1}],
    ("network_quotas", "resources"): [["network", "port"], ["Network"], []],
    ("aggregates", "values"): [{"name": "A"}, {"name": "ä "}],
    ("hosts", "values"): [{"disabled": True, "disabled_reason": "é"}, {"zone": "Nova"}],
    ("providers", "values"): [{}, {"cpu_ratio": 2.0}],
    ("servers", "values"): [{"name": "A "}, {"tags": ("é",)}, {"metadata": {"a": "%"}}],
    ("services", "values"): [{"disabled": True}, {"disabled_reason": "ä"}],
    ("images.end_upload", "values"): [{"size": 2**40, "updated_at": INSTANTS[0]}],
    ("networks", "changes"): [{"name": "A "}, {"tags": ("é", "%")}, {"shared": True}],
    ("subnets", "changes"): [{"name": "A "}, {"gateway": None}],
    ("ports", "changes"): [{"name": "A "}, {"host": "H1"}, {"status": "DOWN"}],
    ("security_groups", "changes"): [{"name": "A "}, {"description": "%"}],
    ("subnets.move_cursor", "given"): [0, 1, 2**127],
    ("saga_leases", "lease_s"): [0.0, 30.0],
    ("audit", "project_id"): list(PROJECTS),
    ("hosts.release", "roles"): lambda number: (
        __import__("kilonova.domain.allocation", fromlist=["x"]).AllocationRole.CURRENT
    ),
    "group_id": lambda number: ident(("security_groups", "server_groups", "groups")[number % 3], number // 3),
    "group_ids": lambda number: [ident(("security_groups", "groups")[number % 2], at) for at in range(ROWS // 2)],
}
