"""For tests of anything written in this framework: an in-process client, and tokens that are what they say."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from kilonova.domain.context import RequestContext, new_request_id
from kilonova.domain.errors import Unauthenticated


def caller(project_id: str = "p1", *roles: str, user_id: str = "u1") -> RequestContext:
    """A context for `FakeAuthenticator`, or to call a handler or use case directly."""
    return RequestContext(
        request_id=new_request_id(),
        user_id=user_id,
        project_id=project_id,
        roles=roles or ("member",),
        is_admin="admin" in roles,
    )


class FakeAuthenticator:
    """Knows the tokens it is given, and no others."""

    def __init__(self, callers: Mapping[str, RequestContext]) -> None:
        self._callers = callers

    def authenticate(self, token: str) -> RequestContext:
        if token not in self._callers:
            raise Unauthenticated("The token is unknown or has expired.")
        return self._callers[token]


def client(app: ASGIApp, token: str | None = None, version: str | None = None) -> TestClient:
    """
    A client of `app` in this process; use it as a context manager. `version` is the whole header, `compute 2.73`.

    Exceptions do not escape the rim, so they are not raised here either: a 500 is seen as one.
    """
    headers = {} if token is None else {"X-Auth-Token": token}
    if version is not None:
        headers["OpenStack-API-Version"] = version
    return TestClient(Starlette(routes=[Mount("/", app)]), headers=headers)
