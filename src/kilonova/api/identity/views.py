"""What several of identity's resources share: references, links, times as Keystone writes them."""

from __future__ import annotations

from datetime import datetime

from kilonova.api.framework import View
from kilonova.api.framework.types import iso_us
from kilonova.domain.identity import Domain, Role


class LinksView(View):
    """A thing's own address."""

    self: str


class NamedView(View):
    """A reference: id and name."""

    id: str
    name: str


class InDomainView(View):
    """A reference to something that has its name within a domain."""

    id: str
    name: str
    domain: NamedView


def links(base_url: str, *path: str) -> LinksView:
    """The address of something below the service's own."""
    return LinksView(self="/".join((base_url, *path)))


def named(thing: Domain | Role) -> NamedView:
    """A reference to a domain or a role."""
    return NamedView(id=thing.id, name=thing.name)


def token_time(moment: datetime) -> str:
    """`2024-05-01T12:00:00.000000Z`, as in tokens."""
    return f"{iso_us(moment)}Z"
