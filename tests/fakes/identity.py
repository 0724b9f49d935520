"""A cloud's identity service for tests: real in all but the cost of a hash."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from starlette.testclient import TestClient

from kilonova.api.framework import Policy, Rim
from kilonova.api.identity import POLICIES, identity_service
from kilonova.domain.clock import Clock, Ids
from kilonova.domain.errors import Postponed
from kilonova.identity.bootstrap import CatalogService, Credentials, ensure_first_start
from kilonova.identity.login import Issued, LoginRequest
from kilonova.identity.login import log_in as login_use_case
from kilonova.identity.passwords import Passwords
from kilonova.identity.service import Identity, build_identity
from kilonova.store.database import Database
from tests.apiclient import client

SERVICES = (
    CatalogService("identity", "keystone", "/identity"),
    CatalogService("compute", "nova", "/compute/v2.1"),
    CatalogService("object-store", "swift", "/object/AUTH_$(project_id)s"),
)
BASE_URL = "http://cloud.test"


def cheap_passwords() -> Passwords:
    return Passwords(time_cost=1, memory_kib=8)


def make_identity(database: Database, clock: Clock) -> tuple[Identity, Credentials]:
    """A service after its first start, and the passwords that were made."""
    identity = build_identity(database, clock, Ids(), passwords=cheap_passwords())
    with database.write() as tx:
        made = ensure_first_start(tx, identity, BASE_URL, SERVICES)
    assert made is not None
    return identity, made


def log_in(identity: Identity, request: LoginRequest) -> Issued:
    """As the rim does it: come again when it is one's turn, which nobody here has to wait for."""
    while True:
        try:
            return login_use_case(identity, request)
        except Postponed as later:
            request = msgspec.structs.replace(request, ticket=later.ticket)


class Caller:
    """Somebody who speaks HTTP with the identity service."""

    def __init__(self, http: TestClient, token: str | None = None) -> None:
        self.http, self.token = http, token

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Any request below /identity/v3; gives the response."""
        given = {"X-Auth-Token": self.token} if self.token else {}
        content = None if body is None else json.dumps(body)
        if content is not None:
            given["Content-Type"] = "application/json"
        return self.http.request(method, f"/identity/v3{path}", content=content, headers={**given, **headers})

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """As `send`, for what must succeed; gives the document."""
        answer = self.send(method, path, body, **headers)
        assert answer.is_success, (method, path, answer.status_code, answer.text)
        return answer.json() if answer.content else None

    def status(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        """As `send`; gives only the status."""
        return int(self.send(method, path, body, **headers).status_code)

    def log_in(self, user: dict[str, Any], scope: Any = None) -> Caller:
        """A caller with a new token; `user` is the content of method password."""
        answer = self.send("POST", "/auth/tokens", login(user, scope))
        assert answer.status_code == 201, answer.text
        return Caller(self.http, answer.headers["X-Subject-Token"])

    def make(self, kind: str, **fields: Any) -> Any:
        """Create a `project`, `user`…; gives what was made."""
        return self.ok("POST", f"/{kind}s", {kind: fields})[kind]

    def role_id(self, name: str) -> str:
        """A role's id."""
        return str(self.ok("GET", f"/roles?name={name}")["roles"][0]["id"])


def login(user: dict[str, Any], scope: Any = None) -> dict[str, Any]:
    """The body of a login by password."""
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    return {"auth": auth if scope is None else {**auth, "scope": scope}}


def account(name: str, password: str) -> dict[str, Any]:
    """A user of the default domain, as a login names it."""
    return {"name": name, "domain": {"id": "default"}, "password": password}


def project(name: str) -> dict[str, Any]:
    """A project of the default domain, as a scope names it."""
    return {"project": {"name": name, "domain": {"id": "default"}}}


def open_client(identity: Identity) -> TestClient:
    """An in-process client of a rim that serves identity alone; to be used as a context manager."""
    return client(Rim([identity_service(identity)], authenticator=identity.authenticator, policy=Policy(POLICIES)))
