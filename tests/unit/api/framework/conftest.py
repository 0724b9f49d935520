from collections.abc import Callable, Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from kilonova.api.framework import Rim
from tests.apiclient import FakeAuthenticator, caller, client
from tests.unit.api.framework.example import Kites, kite_service, policy

MEMBER = "member"
CALLERS = {"member": caller("abc", "member"), "reader": caller("abc", "reader"), "admin": caller("abc", "admin")}


@pytest.fixture
def kites() -> Kites:
    return Kites()


@pytest.fixture
def open_client(kites: Kites) -> Iterator[Callable[..., TestClient]]:
    """Makes clients of one rim; `changes` are those of the service."""
    opened = []

    def make(token: str | None = MEMBER, version: str | None = None, **changes: Any) -> TestClient:
        rim = Rim([kite_service(kites, **changes)], authenticator=FakeAuthenticator(CALLERS), policy=policy())
        made = client(rim, token, version)
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.close()


@pytest.fixture
def api(open_client: Callable[..., TestClient]) -> TestClient:
    return open_client()
