"""The first start makes what is needed to log in; the next ones change nothing but the catalog's addresses."""

from __future__ import annotations

from kilonova.domain.identity import BUILT_IN_ROLES, Endpoint, Role, Service
from kilonova.identity.bootstrap import CatalogService, Credentials, ensure_first_start
from kilonova.identity.login import WantedScope
from kilonova.identity.revoke import revoke_token
from kilonova.identity.service import Identity
from kilonova.reconcilers.identity_housekeeping import IdentityHousekeeping
from kilonova.store.queries import identity as nouns
from kilonova.store.queries.identity import Listing
from tests.component.identity.conftest import Logins
from tests.fakes.identity import BASE_URL, SERVICES
from tests.world.clock import ManualClock


def endpoints(identity: Identity) -> dict[str, Endpoint]:
    with identity.database.read() as tx:
        return {one.id: one for one in nouns.listed(tx, Endpoint, Listing())}


def test_the_first_start_gives_an_admin_and_somebody_else(
    identity: Identity, credentials: Credentials, logins: Logins
) -> None:
    assert logins("admin", credentials.admin_password).verified.context.is_admin
    assert logins("admin", credentials.admin_password, WantedScope(system=True)).verified.context.system_scope == "all"
    assert not logins("demo", credentials.demo_password).verified.context.is_admin
    assert credentials.admin_password not in repr(logins.user("admin"))
    with identity.database.read() as tx:
        assert {role.name for role in nouns.listed(tx, Role, Listing())} == set(BUILT_IN_ROLES)


def test_the_next_start_changes_nothing(identity: Identity, credentials: Credentials, logins: Logins) -> None:
    before = endpoints(identity)
    with identity.database.write() as tx:
        assert ensure_first_start(tx, identity, BASE_URL, SERVICES) is None
    assert endpoints(identity) == before
    assert len(before) == 3 * len(SERVICES)
    logins("admin", credentials.admin_password)


def test_the_catalog_follows_the_base_url_and_the_services(identity: Identity) -> None:
    before = endpoints(identity)
    with identity.database.write() as tx:
        ensure_first_start(
            tx, identity, "https://other:8443/", (*SERVICES, CatalogService("image", "glance", "/image"))
        )
    after = endpoints(identity)
    assert before.keys() < after.keys()
    assert {one.url.split("/")[2] for one in after.values()} == {"other:8443"}
    with identity.database.read() as tx:
        assert [one.type for one in nouns.listed(tx, Service, Listing(equal={"name": "glance"}))] == ["image"]


def test_housekeeping_drops_what_nobody_needs(
    identity: Identity, credentials: Credentials, logins: Logins, clock: ManualClock
) -> None:
    revoke_token(identity, logins("demo", credentials.demo_password).verified.claims)
    chores = IdentityHousekeeping(identity)
    assert chores.activate() == {"keys_rotated": 0, "revocations_dropped": 0}
    clock.advance(31 * 86400)
    assert chores.activate() == {"keys_rotated": 1, "revocations_dropped": 1}
    assert chores.activate() == {"keys_rotated": 0, "revocations_dropped": 0}
