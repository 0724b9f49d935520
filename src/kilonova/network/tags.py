"""Tags on networks, subnets, ports and security groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Missing
from kilonova.network.errors import InvalidInput
from kilonova.network.scoping import found
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import networks, ports, security_groups, subnets

MAX_TAGS = 50
MAX_LENGTH = 60


class TagNotFound(Missing):
    """404: the thing has no such tag."""


class _Kind(NamedTuple):
    name: str
    find: Callable[..., Any]
    change: Callable[[Tx, str, dict[str, Any], datetime], None]


KINDS: dict[str, _Kind] = {
    "networks": _Kind("Network", networks.find, networks.change),
    "subnets": _Kind("Subnet", subnets.find, subnets.change),
    "ports": _Kind("Port", ports.find, ports.change),
    "security-groups": _Kind("SecurityGroup", security_groups.find, security_groups.change),
}


class Tags:
    """The tags of one thing of a kind (a key of `KINDS`). Raises Missing and InvalidInput."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def owner(self, ctx: RequestContext, kind: str, ident: str) -> str:
        """The project of the thing."""
        with self._runtime.db.read() as tx:
            return str(found(KINDS[kind].find(tx, ctx, ident), KINDS[kind].name, ident).project_id)

    def get(self, ctx: RequestContext, kind: str, ident: str) -> tuple[str, ...]:
        """Its tags, in their order."""
        with self._runtime.db.read() as tx:
            return tuple(found(KINDS[kind].find(tx, ctx, ident), KINDS[kind].name, ident).tags)

    def check(self, ctx: RequestContext, kind: str, ident: str, tag: str) -> None:
        """Raise TagNotFound unless it has this one."""
        if tag not in self.get(ctx, kind, ident):
            raise TagNotFound("Tag", tag)

    def replace(self, ctx: RequestContext, kind: str, ident: str, tags: Sequence[str]) -> tuple[str, ...]:
        """It has exactly these."""
        return self._change(ctx, kind, ident, lambda _: tags)

    def add(self, ctx: RequestContext, kind: str, ident: str, tags: Sequence[str]) -> tuple[str, ...]:
        """It has these besides."""
        return self._change(ctx, kind, ident, lambda have: (*have, *tags))

    def remove(self, ctx: RequestContext, kind: str, ident: str, tag: str) -> None:
        """It has this no more."""
        self.check(ctx, kind, ident, tag)
        self._change(ctx, kind, ident, lambda have: [one for one in have if one != tag])

    def _change(
        self, ctx: RequestContext, kind: str, ident: str, tags_of: Callable[[tuple[str, ...]], Sequence[str]]
    ) -> tuple[str, ...]:
        with self._runtime.db.write() as tx:
            thing = found(KINDS[kind].find(tx, ctx, ident, lock=True), KINDS[kind].name, ident)
            tags = tuple(dict.fromkeys(tags_of(thing.tags)))
            if any(not 1 <= len(tag) <= MAX_LENGTH for tag in tags):
                raise InvalidInput("tags", f"a tag has 1 to {MAX_LENGTH} characters")
            if len(tags) > MAX_TAGS:
                raise InvalidInput("tags", f"there would be {len(tags)}, the limit is {MAX_TAGS}")
            if tags != thing.tags:
                KINDS[kind].change(tx, ident, {"tags": tags}, self._runtime.clock.now())
            return tags
