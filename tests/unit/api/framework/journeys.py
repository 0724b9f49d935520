"""What the tests of the whole way of a request share."""

from __future__ import annotations

import re
from typing import Any

from starlette.testclient import TestClient

from kilonova.api.framework import Rim
from tests.apiclient import FakeAuthenticator
from tests.unit.api.framework.conftest import CALLERS
from tests.unit.api.framework.example import Kites, kite_service, policy

BASE = "/compute/v2.1"
REQUEST_ID = re.compile(r"\Areq-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def message(reply: Any) -> Any:
    ((_, body),) = reply.json().items()
    assert body["code"] == reply.status_code
    return body["message"]


def post(api: TestClient, path: str, body: Any, **headers: Any) -> Any:
    return api.post(BASE + path, content=body, headers={"Content-Type": "application/json"} | headers)


def rim_of(kites: Kites) -> Rim:
    return Rim([kite_service(kites)], authenticator=FakeAuthenticator(CALLERS), policy=policy())
