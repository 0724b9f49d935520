"""Domains: made, changed, and taken away with all that is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.domain.errors import Denied
from kilonova.domain.identity import DEFAULT_DOMAIN_ID, Domain, Group, Project, User
from kilonova.identity.service import Identity
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns
from kilonova.store.queries.identity import Listing


class NewDomain(msgspec.Struct, frozen=True, kw_only=True):
    """What a domain is made from."""

    name: str
    description: str = ""
    enabled: bool = True


def create_domain(identity: Identity, new: NewDomain) -> Domain:
    """Make a domain. Raises Conflict where its name is taken."""
    made = Domain(id=identity.new_id(), created_at=identity.clock.now(), **msgspec.structs.asdict(new))
    with identity.changing() as tx:
        nouns.add(tx, made)
    return made


def update_domain(identity: Identity, ident: str, changes: Mapping[str, Any]) -> Domain:
    """Change a domain; a disabled one lets nobody in. Raises Missing, Conflict."""
    with identity.changing() as tx:
        return nouns.change(tx, Domain, ident, changes)


def delete_domain(identity: Identity, ident: str) -> None:
    """Delete a domain, its users, groups and projects. Raises Missing, and Denied while it is enabled."""
    if ident == DEFAULT_DOMAIN_ID:
        raise Denied("The default domain cannot be deleted: the cloud's own accounts are in it.")
    with identity.changing() as tx:
        if nouns.get(tx, Domain, ident, lock=True).enabled:
            raise Denied("Cannot delete a domain that is enabled.", next_step=f"openstack domain set --disable {ident}")
        for kind in (User, Group, Project):
            _empty(tx, kind, ident)
        nouns.remove(tx, Domain, ident)


def _empty(tx: Tx, kind: type[User | Group | Project], domain_id: str) -> None:
    things: list[Any] = nouns.listed(tx, kind, Listing(equal={"domain_id": domain_id}))
    for thing in things:
        nouns.remove(tx, kind, thing.id)
