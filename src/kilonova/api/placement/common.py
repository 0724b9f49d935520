"""What Placement's resources share: links, and the filters by which providers are chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any
from urllib.parse import urlsplit

from kilonova.api.framework import Request, View, reads
from kilonova.api.framework.types import check_uuid
from kilonova.domain.errors import Rejected
from kilonova.domain.resource import CLAIMED, Provider, inventories_of

Wanted = Callable[[Provider], bool]


class BadValue(Rejected):
    """400: a key of the query has a value that it cannot have."""

    placement_code = "placement.query.bad_value"


class MissingValue(Rejected):
    """400: a key that the query needs is not there."""

    placement_code = "placement.query.missing_value"


class DuplicateKey(Rejected):
    """400: a key that may be in the query once is there again."""

    placement_code = "placement.query.duplicate_key"


class Link(View):
    """Where a thing is found."""

    rel: str
    href: str


class ResourcesView(View):
    """Amounts by class."""

    resources: dict[str, int]


def read_resources(text: str) -> dict[str, int]:
    """`VCPU:1,MEMORY_MB:512` as amounts by class. Raises ValueError."""
    found = {}
    for part in text.split(","):
        name, _, amount = part.partition(":")
        if not name or not (
            amount.isascii() and amount.isdigit() and 0 < int(amount[:10]) < 2**31 and len(amount) <= 10
        ):
            raise ValueError(f"{part[:80]!r} is not CLASS:AMOUNT with an amount of 1 or more")
        if name in found:
            raise ValueError(f"{name[:80]!r} is named twice")
        found[name] = int(amount)
    return found


Resources = Annotated[dict[str, int], reads(read_resources, str)]


def href(req: Request[Any, Any], path: str) -> str:
    """A path of this service, as Placement writes it: without the host."""
    return f"{urlsplit(req.base_url).path}{path}"


def with_room(resources: dict[str, int]) -> Wanted:
    """Providers that have room for these amounts at once: the same sums as a claim's. Raises Rejected for an unknown class."""

    def passes(provider: Provider) -> bool:
        held = inventories_of(provider.host)
        return all(
            name in held and amount <= held[name].max_unit and held[name].used + amount <= held[name].capacity
            for name, amount in resources.items()
        )

    return passes


def check_classes(resources: dict[str, int], known: Iterable[str]) -> None:
    """Raise Rejected for a resource class that there is not."""
    unknown = sorted(set(resources) - {*CLAIMED, *known})
    if unknown:
        raise Rejected(f"Invalid resource class in resources parameter: {unknown[0][:255]}.")


def with_traits(texts: Iterable[str], known: Iterable[str]) -> Wanted:
    """Providers that pass `A,!B,in:C,D` each. Raises Rejected for a trait unknown, or needed and barred at once."""
    needed: list[frozenset[str]] = []
    barred: set[str] = set()
    for text in texts:
        if text.startswith("in:"):
            needed.append(frozenset(text[3:].split(",")))
            continue
        for name in text.split(","):
            if name.startswith("!"):
                barred.add(name[1:])
            else:
                needed.append(frozenset((name,)))
    unknown = sorted(barred.union(*needed) - set(known))
    if unknown:
        raise Rejected(f"No such trait(s): {', '.join(unknown[:5])[:255]}.")
    torn = sorted(name for any_of in needed if any_of <= barred for name in any_of)
    if torn:
        raise Rejected(f"Conflicting required and forbidden traits: {', '.join(torn[:5])[:255]}.")
    return lambda provider: not provider.traits & barred and all(provider.traits & any_of for any_of in needed)


def with_aggregates(texts: Iterable[str]) -> Wanted:
    """Providers that pass `A`, `!A`, `in:A,B`, `!in:A,B` each. Raises Rejected for what is no UUID."""
    rules = []
    for text in texts:
        inner = text.removeprefix("!")
        ids = frozenset(inner.removeprefix("in:").split(",")) if inner.startswith("in:") else frozenset((inner,))
        for ident in ids:
            try:
                check_uuid(ident)
            except ValueError as problem:
                raise Rejected(f"Invalid query string parameters: member_of: {problem}") from None
        rules.append((text.startswith("!"), ids))
    return lambda provider: all(bool(provider.aggregates & ids) is not barred for barred, ids in rules)
