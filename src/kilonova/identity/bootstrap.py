"""
The first start: what every cloud has before anybody can log in.

The default domain, the roles, region RegionOne, the projects `admin` and `demo`, and two people: `admin` (role admin on project
admin and on the system) and `demo` (role member on project demo), since much of a cloud is only seen as somebody who is not its
admin. Their passwords are made here and handed back once; the database has only their hashes.

Run at every start. What exists is left as it is, people's changes included, but the catalog follows the base URL: an endpoint
that we made and whose URL is another now is moved, a service that exists by now is added.
"""

from __future__ import annotations

import msgspec

from kilonova.domain.errors import Missing
from kilonova.domain.identity import (
    BUILT_IN_ROLES,
    DEFAULT_DOMAIN_ID,
    Assignment,
    Domain,
    Endpoint,
    Project,
    Region,
    Role,
    Service,
    User,
)
from kilonova.identity.passwords import new_password
from kilonova.identity.service import Identity
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns
from kilonova.store.queries import identity_roles
from kilonova.store.queries.identity import Listing

REGION = "RegionOne"
INTERFACES = ("public", "internal", "admin")


class CatalogService(msgspec.Struct, frozen=True):
    """A service that this cloud serves: its type, its name, and the path below the base URL, e.g. `/compute/v2.1`."""

    type: str
    name: str
    path: str


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """The passwords made at the first start; nobody can read them again."""

    admin_password: str
    demo_password: str


def ensure_first_start(
    tx: Tx, identity: Identity, base_url: str, services: tuple[CatalogService, ...]
) -> Credentials | None:
    """
    Make what is missing; gives the passwords if this was the first start. `base_url` has no slash at its end.

    Must be in a transaction that has seen the tables made. Idempotent.
    """
    tx.after_commit(identity.authenticator.forget)
    identity.keys.ensure(tx)
    _ensure_catalog(tx, identity, base_url.rstrip("/"), services)
    if nouns.find(tx, Domain, DEFAULT_DOMAIN_ID) is not None:
        return None
    _make_domain_and_roles(tx, identity)
    made = Credentials(admin_password=new_password(), demo_password=new_password())
    _make_account(tx, identity, "admin", made.admin_password, roles=("admin",))
    _make_account(tx, identity, "demo", made.demo_password, roles=("member",))
    return made


def admin_project(tx: Tx) -> Project:
    """The project `admin`, made at the first start. Raises Missing when somebody has deleted it."""
    found = nouns.named(tx, Project, "admin", domain_id=DEFAULT_DOMAIN_ID)
    if found is None:
        raise Missing("Project", "admin")
    return found


def _make_domain_and_roles(tx: Tx, identity: Identity) -> None:
    now = identity.clock.now()
    nouns.add(
        tx, Domain(id=DEFAULT_DOMAIN_ID, name="Default", description="The default domain", enabled=True, created_at=now)
    )
    for name in BUILT_IN_ROLES:
        if nouns.named(tx, Role, name) is None:
            nouns.add(tx, Role(id=identity.new_id(), name=name, domain_id=None, description=None, created_at=now))


def _make_account(tx: Tx, identity: Identity, name: str, password: str, *, roles: tuple[str, ...]) -> None:
    """A user and a project of one name, with these roles; an admin gets them on the system too."""
    now = identity.clock.now()
    project = Project(
        id=identity.new_id(),
        domain_id=DEFAULT_DOMAIN_ID,
        parent_id=DEFAULT_DOMAIN_ID,
        name=name,
        description=f"The {name} project",
        enabled=True,
        created_at=now,
    )
    user = User(
        id=identity.new_id(),
        domain_id=DEFAULT_DOMAIN_ID,
        name=name,
        email=None,
        description=None,
        enabled=True,
        default_project_id=project.id,
        password_hash=identity.passwords.hash(password),
        password_changed_at=now,
        tokens_not_before=None,
        created_at=now,
    )
    nouns.add(tx, project)
    nouns.add(tx, user)
    for role_name in roles:
        role = nouns.named(tx, Role, role_name)
        if role is None:
            continue
        identity_roles.assign(tx, Assignment(role_id=role.id, user_id=user.id, project_id=project.id))
        if role_name == "admin":
            identity_roles.assign(tx, Assignment(role_id=role.id, user_id=user.id))


def _ensure_catalog(tx: Tx, identity: Identity, base_url: str, services: tuple[CatalogService, ...]) -> None:
    if nouns.find(tx, Region, REGION) is None:
        nouns.add(tx, Region(id=REGION, parent_region_id=None, description=""))
    for wanted in services:
        same = {"type": wanted.type, "name": wanted.name}
        found = nouns.listed(tx, Service, Listing(equal=same, limit=1))
        if found:
            service = found[0]
        else:
            service = Service(id=identity.new_id(), description="", enabled=True, **same)
            nouns.add(tx, service)
        _ensure_endpoints(tx, identity, service, base_url + wanted.path)


def _ensure_endpoints(tx: Tx, identity: Identity, service: Service, url: str) -> None:
    here = {"service_id": service.id, "region_id": REGION}
    found = {one.interface: one for one in nouns.listed(tx, Endpoint, Listing(equal=here))}
    for interface in INTERFACES:
        endpoint = found.get(interface)
        if endpoint is None:
            nouns.add(tx, Endpoint(id=identity.new_id(), interface=interface, url=url, enabled=True, **here))
        elif endpoint.url != url:
            nouns.change(tx, Endpoint, endpoint.id, {"url": url})
