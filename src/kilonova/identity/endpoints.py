"""Regions, services and endpoints: what the catalog is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.domain.errors import Conflict, InvalidField
from kilonova.domain.identity import Endpoint, Region, Service
from kilonova.identity.service import Identity
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns


class NewService(msgspec.Struct, frozen=True, kw_only=True):
    """What a service is made from."""

    type: str
    name: str = ""
    description: str = ""
    enabled: bool = True


class NewEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What an endpoint is made from; `make_region` makes its region where it is missing, as Keystone does for old clients."""

    service_id: str
    interface: str
    url: str
    region_id: str | None = None
    make_region: bool = False
    enabled: bool = True


def create_region(identity: Identity, region: Region) -> None:
    """Make a region of the id given. Raises Conflict where there is one."""
    with identity.database.write() as tx:
        if nouns.find(tx, Region, region.id) is not None:
            raise Conflict(f"There is a region {region.id} already.")
        _check_parent(tx, region.parent_region_id)
        nouns.add(tx, region)


def update_region(identity: Identity, ident: str, changes: Mapping[str, Any]) -> Region:
    """Change a region. Raises Missing, InvalidField."""
    with identity.database.write() as tx:
        if changes.get("parent_region_id") == ident:
            raise InvalidField("region.parent_region_id", "a region cannot be within itself")
        _check_parent(tx, changes.get("parent_region_id"))
        return nouns.change(tx, Region, ident, changes)


def delete_region(identity: Identity, ident: str) -> None:
    """Delete a region. Raises Missing, and Conflict while it has endpoints or regions."""
    with identity.database.write() as tx:
        nouns.remove(tx, Region, ident)


def create_service(identity: Identity, new: NewService) -> Service:
    """Make a service."""
    made = Service(id=identity.new_id(), **msgspec.structs.asdict(new))
    with identity.database.write() as tx:
        nouns.add(tx, made)
    return made


def update_service(identity: Identity, ident: str, changes: Mapping[str, Any]) -> Service:
    """Change a service. Raises Missing."""
    with identity.database.write() as tx:
        return nouns.change(tx, Service, ident, changes)


def delete_service(identity: Identity, ident: str) -> None:
    """Delete a service with its endpoints. Raises Missing."""
    with identity.database.write() as tx:
        nouns.remove(tx, Service, ident)


def create_endpoint(identity: Identity, new: NewEndpoint) -> Endpoint:
    """Make an endpoint. Raises InvalidField where its service or region is not there."""
    with identity.database.write() as tx:
        if new.make_region and new.region_id is not None and nouns.find(tx, Region, new.region_id) is None:
            nouns.add(tx, Region(id=new.region_id, parent_region_id=None, description=""))
        _check_parts(tx, new.service_id, new.region_id)
        made = Endpoint(
            id=identity.new_id(),
            service_id=new.service_id,
            interface=new.interface,
            region_id=new.region_id,
            url=new.url,
            enabled=new.enabled,
        )
        nouns.add(tx, made)
    return made


def update_endpoint(identity: Identity, ident: str, changes: Mapping[str, Any]) -> Endpoint:
    """Change an endpoint. Raises Missing, InvalidField."""
    with identity.database.write() as tx:
        _check_parts(tx, changes.get("service_id"), changes.get("region_id"))
        return nouns.change(tx, Endpoint, ident, changes)


def delete_endpoint(identity: Identity, ident: str) -> None:
    """Delete an endpoint. Raises Missing."""
    with identity.database.write() as tx:
        nouns.remove(tx, Endpoint, ident)


def _check_parts(tx: Tx, service_id: str | None, region_id: str | None) -> None:
    if service_id is not None and nouns.find(tx, Service, service_id) is None:
        raise InvalidField("endpoint.service_id", f"there is no service {service_id}")
    if region_id is not None and nouns.find(tx, Region, region_id) is None:
        raise InvalidField("endpoint.region_id", f"there is no region {region_id}")


def _check_parent(tx: Tx, parent: str | None) -> None:
    if parent is not None and nouns.find(tx, Region, parent) is None:
        raise InvalidField("region.parent_region_id", f"there is no region {parent}")
