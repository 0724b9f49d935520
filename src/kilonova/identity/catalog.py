"""The catalog: which services there are, and where; `$(project_id)s` in a URL is the project of the token that asks."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from kilonova.domain.identity import Endpoint, Service
from kilonova.store.database import Tx
from kilonova.store.queries import identity as nouns
from kilonova.store.queries.identity import Listing

_PLACE = re.compile(r"[$%]\((\w+)\)s")
_MOST = 1000


class CatalogEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where one interface of a service answers."""

    id: str
    interface: str
    region: str | None
    region_id: str | None
    url: str


class CatalogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A service and its endpoints, as tokens carry them."""

    id: str
    type: str
    name: str
    endpoints: list[CatalogEndpoint]


def build_catalog(tx: Tx, *, project_id: str | None, user_id: str | None) -> list[CatalogEntry]:
    """The enabled endpoints of enabled services; one whose URL needs a project is left out where there is none."""
    values = {"project_id": project_id, "tenant_id": project_id, "user_id": user_id}
    by_service: dict[str, list[CatalogEndpoint]] = defaultdict(list)
    for endpoint in nouns.listed(tx, Endpoint, Listing(equal={"enabled": True}, limit=_MOST)):
        url = filled(endpoint.url, values)
        if url is not None:
            by_service[endpoint.service_id].append(
                CatalogEndpoint(
                    id=endpoint.id,
                    interface=endpoint.interface,
                    region=endpoint.region_id,
                    region_id=endpoint.region_id,
                    url=url,
                )
            )
    return [
        CatalogEntry(id=service.id, type=service.type, name=service.name, endpoints=by_service[service.id])
        for service in nouns.listed(tx, Service, Listing(equal={"enabled": True}, limit=_MOST))
    ]


def filled(template: str, values: Mapping[str, Any]) -> str | None:
    """The URL with its places filled, None when something is missing."""
    if any(values.get(name) is None for name in _PLACE.findall(template)):
        return None
    return _PLACE.sub(lambda found: str(values[found[1]]), template)


def check_template(url: str) -> str:
    """A URL template that `filled` understands; ValueError for any other."""
    unknown = set(_PLACE.findall(url)) - {"project_id", "tenant_id", "user_id"}
    if unknown:
        raise ValueError(f"unknown substitution {min(unknown)!r}: use project_id, tenant_id or user_id")
    return url
