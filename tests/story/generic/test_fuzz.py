"""
Requests that schemathesis makes of our own OpenAPI documents, near to what they allow and far from it: never a bug.

`make test` sends the same ones each time. `make fuzz` sends others each day, and more: `KILONOVA_FUZZ` is what they are drawn by,
and is printed, so that a day's can be sent again.
"""

from __future__ import annotations

import json
import os
import zlib
from typing import Any

import pytest
import schemathesis
import schemathesis.openapi
from hypothesis import HealthCheck, Phase, given, seed, settings

from kilonova.api.framework import Version, openapi_document
from tests.story.generic.judge import judge
from tests.story.generic.tables import SERVICES
from tests.story.hostile.world import World

PATCH_MEDIA = tuple(f"application/openstack-images-v2.{minor}-json-patch" for minor in (1, 0))
DRAWN_BY = os.environ.get("KILONOVA_FUZZ", "")
EXAMPLES = int(os.environ.get("KILONOVA_FUZZ_EXAMPLES", "8"))  # for each operation of each document
DOCUMENTS = (
    ("identity", ""),
    ("image", ""),
    ("network", ""),
    ("kilonova", ""),
    ("placement", "1.39"),
    ("compute", "2.1"),
    ("compute", "2.96"),
    ("compute", "2.104"),
)


@schemathesis.serializer(*PATCH_MEDIA)
def json_patch(_: Any, value: Any) -> bytes:
    return json.dumps(value).encode()


def operations(service: str, version: str) -> list[Any]:
    document = openapi_document(SERVICES[service], Version.parse(version) if version else None)
    found = schemathesis.openapi.from_dict(document).get_all_operations()
    return [result.ok() for result in found]


CASES = [
    pytest.param(service, version, operation, id=f"{service} {version} {operation.label}".replace("/", "|"))
    for service, version in DOCUMENTS
    for operation in operations(service, version)
    if operation.label != "POST /v3/auth/tokens"  # guesses would slow all logins down
]


@pytest.mark.parametrize(("service", "version", "operation"), CASES)
def test_what_a_fuzzer_sends_is_answered(cloud: World, service: str, version: str, operation: Any) -> None:
    headers = {
        "X-Auth-Token": cloud.admin.token,
        **({"OpenStack-API-Version": f"{service} {version}"} if version else {}),
    }
    base = f"http://testserver{SERVICES[service].mount}"

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=not DRAWN_BY, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def sent(case: Any) -> None:
        wanted = case.as_transport_kwargs(base_url=base)
        wanted["headers"] = {**wanted["headers"], **headers}
        wanted.pop("cookies", None)
        if "data" in wanted:
            wanted["content"] = wanted.pop("data")
        judge(cloud.http.request(**wanted), wanted)

    (seed(zlib.crc32(DRAWN_BY.encode()))(sent) if DRAWN_BY else sent)()
