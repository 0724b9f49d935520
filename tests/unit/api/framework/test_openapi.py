from typing import Any

import jsonschema
import pytest

from kilonova.api.framework import Version, describe_routes, openapi_document
from tests.unit.api.framework.example import Kites, kite_service

SERVICE = kite_service(Kites())


def schema(document: Any, *path: str) -> Any:
    """Follow keys, and references where they stand in the way."""
    found = document
    for key in path:
        found = found[key]
        while "$ref" in found:
            found = document["components"]["schemas"][found["$ref"].rpartition("/")[2]]
    return found


BODY = ("requestBody", "content", "application/json", "schema")


def kite_at(version: Any) -> Any:
    document = openapi_document(SERVICE, Version.parse(version))
    return schema(document, "paths", "/v2.1/kites", "post", *BODY, "properties", "kite")


def test_each_version_has_its_own_document() -> None:
    assert "locked" not in kite_at("2.8")["properties"]
    assert "locked" in kite_at("2.9")["properties"]
    assert kite_at("2.4")["required"] == ["name", "owner"]
    assert kite_at("2.8")["required"] == ["name", "wind"]
    assert kite_at("2.8")["additionalProperties"] is False


def test_limits_are_told() -> None:
    name = kite_at("2.1")["properties"]["name"]
    assert (name["minLength"], name["maxLength"]) == (1, 255)


def test_routes_out_of_range_are_left_out() -> None:
    early = openapi_document(SERVICE, Version(2, 2))["paths"]["/v2.1/kites/{kite_id}/action"]["post"]
    late = openapi_document(SERVICE)["paths"]["/v2.1/kites/{kite_id}/action"]["post"]

    def keys(operation: Any) -> Any:
        body = schema(operation, *BODY)
        return {key for way in body["oneOf"] for key in way["properties"]}

    assert keys(early) == {"land", "burst"}
    assert keys(late) == {"land", "burst", "cutString"}


def test_parameters_and_responses() -> None:
    document = openapi_document(SERVICE)
    listing = document["paths"]["/v2.1/kites"]["get"]
    assert {p["name"] for p in listing["parameters"]} >= {"limit", "marker", "sort_key", "tag", "name", "colour"}
    assert listing["x-policy"] == "os_compute_api:kites:index"
    show = document["paths"]["/v2.1/kites/{kite_id}"]["get"]
    assert show["parameters"] == [{"name": "kite_id", "in": "path", "required": True, "schema": {"type": "string"}}]
    assert set(show["responses"]) == {"200", "default"}


@pytest.mark.parametrize("version", [f"2.{minor}" for minor in range(1, 11)])
def test_every_schema_is_one(version: Any) -> None:
    document = openapi_document(SERVICE, Version.parse(version))
    for found in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(found)


def test_route_rows() -> None:
    rows = {(row.method, row.path, row.action, row.min): row for row in describe_routes([SERVICE])}
    row = rows["POST", "/compute/v2.1/kites/{kite_id}/action", "cutString", "2.3"]
    assert (row.service, row.status, row.policy, row.max) == ("compute", 202, "os_compute_api:kites:cut", None)
    assert rows["DELETE", "/compute/v2.1/kites/{kite_id}", None, "2.1"].max == "2.1"
    assert rows["GET", "/compute/", None, "2.1"].auth is False
