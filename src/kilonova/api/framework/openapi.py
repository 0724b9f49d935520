"""OpenAPI 3.1 from the route tables: one document per service and microversion, made on request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from kilonova.api.framework.routes import Route, param_names
from kilonova.api.framework.schema import fields_of
from kilonova.api.framework.service import Service
from kilonova.api.framework.versions import UNVERSIONED, Version

_REF = "#/components/schemas/{name}"
_ANY: dict[str, Any] = {}


def openapi_document(service: Service, version: Version | None = None) -> dict[str, Any]:
    """The document of `service` at one microversion; None means the newest. Action routes share one operation."""
    at = version or service.spoken.last or UNVERSIONED
    live = [route for route in service.routes if at in route.versions and not route.is_absent]
    book = _Schemas(service, live, at)
    paths: dict[str, dict[str, Any]] = {}
    for route in live:
        way = paths.setdefault(f"{service.prefix}{route.path}", {})
        method = route.method.lower()
        made = _operation(route, book)
        way[method] = _with_action(way[method], made, route) if method in way else made
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Kilonova {service.name}", "version": str(at) if service.microversions else "1"},
        "servers": [{"url": service.mount or "/"}],
        "paths": paths,
        "components": {
            "schemas": book.components,
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
        },
    }


class _Schemas:
    """Every wire type of one version by its schema; types are named once, in `components`."""

    def __init__(self, service: Service, routes: Iterable[Route], at: Version) -> None:
        types: list[Any] = []
        self._places: dict[tuple[str, int], int] = {}
        for route in routes:
            plan = service.plan(route)
            wires = {
                "params": plan.decoder and plan.decoder.wire_type(at),
                "query": plan.query and plan.query.wire_type(at),
                "view": plan.encoder and plan.encoder.wire(at).type,
            }
            for kind, tp in wires.items():
                if tp is not None:
                    self._places[kind, id(route)] = len(types)
                    types.append(tp)
        self._schemas, self.components = msgspec.json.schema_components(
            types, ref_template=_REF, schema_hook=lambda _: _ANY
        )

    def of(self, kind: str, route: Route) -> dict[str, Any] | None:
        """The schema of a route's `params`, `query` or `view`, None if it has none."""
        place = self._places.get((kind, id(route)))
        return None if place is None else self._schemas[place]

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The schema itself, where it is a reference."""
        name = schema.get("$ref", "").rpartition("/")[2]
        return self.components[name] if name else schema


def _operation(route: Route, book: _Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": route.label,
        "parameters": [*_path_params(route), *_query_params(route, book)],
        "responses": {
            str(route.status): _success(route, book),
            "default": {"description": "An error in the service's envelope"},
        },
        "security": [{"token": []}] if route.auth else [],
    }
    if route.summary:
        made["summary"] = route.summary
    if route.policy:
        made["x-policy"] = route.policy
    if body := _body(route, book):
        made["requestBody"] = body
    return made


def _with_action(there: dict[str, Any], made: dict[str, Any], route: Route) -> dict[str, Any]:
    """Join an action into the operation of its path: one more alternative of the body, one more success."""
    media = "application/json"
    known = there["requestBody"]["content"][media]["schema"]
    new = made["requestBody"]["content"][media]["schema"]
    there["requestBody"]["content"][media]["schema"] = {"oneOf": [*known.get("oneOf", [known]), new]}
    there["responses"] |= {str(route.status): made["responses"][str(route.status)]} | there["responses"]
    there["operationId"] = f"{route.method} {route.path}"
    return there


def _path_params(route: Route) -> list[dict[str, Any]]:
    return [{"name": n, "in": "path", "required": True, "schema": {"type": "string"}} for n in param_names(route.path)]


def _query_params(route: Route, book: _Schemas) -> list[dict[str, Any]]:
    schema = book.of("query", route)
    if schema is None or route.query is None or any(spec.is_rest for spec in fields_of(route.query)):
        return []
    plain = book.resolved(schema)
    needed = plain.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": field}
        for name, field in plain.get("properties", {}).items()
    ]


def _body(route: Route, book: _Schemas) -> dict[str, Any] | None:
    if route.stream:
        return {"content": {media: {"schema": _ANY} for media in route.media}}
    schema, key = book.of("params", route), route.action or route.params_key
    if key is not None:
        inner = _ANY if schema is None else schema
        schema = {"type": "object", "properties": {key: inner}, "required": [key], "additionalProperties": False}
    return (
        None if schema is None else {"required": True, "content": {media: {"schema": schema} for media in route.media}}
    )


def _success(route: Route, book: _Schemas) -> dict[str, Any]:
    view = book.of("view", route)
    if view is None:
        return {"description": route.summary or "Done"}
    one_or_many: dict[str, Any] = view
    if route.view_key is not None:
        body = {"anyOf": [view, {"type": "array", "items": view}]} if route.method == "GET" else view
        one_or_many = {"type": "object", "properties": {route.view_key: body}, "required": [route.view_key]}
    return {"description": route.summary or "Done", "content": {"application/json": {"schema": one_or_many}}}
