"""For tests of anything written in this framework: an in-process client, and tokens that are what they say."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from kilonova.api.framework.openapi import openapi_document
from kilonova.api.framework.schema import edges_of
from kilonova.api.framework.service import Service
from kilonova.api.framework.versions import UNVERSIONED
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


def compile_all(service: Service) -> int:
    """
    Compile every codec of every stretch of versions, and give their number.

    One line of test for each service: what msgspec cannot decode or describe is found here, not by a client.
    """
    made, oldest = 0, service.spoken.first or UNVERSIONED
    for route in (*service.routes, *service.root_routes):
        plan = service.plan(route)
        for decoder in filter(None, (plan.decoder, plan.query)):
            for version in (oldest, *edges_of(decoder.type)):
                msgspec.json.Decoder(decoder.wire_type(version))
                made += 1
        for encoder in filter(None, (plan.encoder,)):
            for version in (oldest, *edges_of(encoder.type)):
                encoder.wire(version)
                made += 1
    for version in {oldest, *(edge for route in service.routes for edge in route.versions.edges())}:
        openapi_document(service, version)
    return made
