"""An identity service over a real database, after its first start."""

from __future__ import annotations

import pytest

from kilonova.domain.identity import User
from kilonova.identity.bootstrap import Credentials
from kilonova.identity.login import Issued, LoginRequest, Named, PasswordProof, WantedScope
from kilonova.identity.service import Identity
from kilonova.store.database import Database
from kilonova.store.queries import identity as nouns
from tests.fakes.identity import log_in, make_identity
from tests.world.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def started(database: Database, clock: ManualClock) -> tuple[Identity, Credentials]:
    return make_identity(database, clock)


@pytest.fixture
def identity(started: tuple[Identity, Credentials]) -> Identity:
    return started[0]


@pytest.fixture
def credentials(started: tuple[Identity, Credentials]) -> Credentials:
    return started[1]


class Logins:
    """Logins of the default domain's users."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    def __call__(self, name: str, password: str, scope: WantedScope | None = None) -> Issued:
        proof = PasswordProof(user=Named(name=name, domain_id="default"), password=password)
        return log_in(self.identity, LoginRequest(password=proof, scope=scope))

    def user(self, name: str) -> User:
        with self.identity.database.read() as tx:
            found = nouns.named(tx, User, name, domain_id="default")
        assert found is not None
        return found


@pytest.fixture
def logins(identity: Identity) -> Logins:
    return Logins(identity)
