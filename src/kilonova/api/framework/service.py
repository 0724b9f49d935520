"""A service as the rim serves it: where it is mounted, which versions it speaks, how it words errors, its routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from kilonova.api.framework.compile_in import Decoder
from kilonova.api.framework.compile_out import Encoder
from kilonova.api.framework.errors import Style
from kilonova.api.framework.router import Router
from kilonova.api.framework.routes import Route, RouteRow
from kilonova.api.framework.schema import edges_of
from kilonova.api.framework.versions import Version, VersionRange, negotiate

MIB = 1024 * 1024


def _room_enough() -> None:
    """There is a disk for everything."""


class Plan:
    """A route with its codecs, made once."""

    __slots__ = ("decoder", "encoder", "query", "route")

    def __init__(self, route: Route) -> None:
        key = route.params_key if route.action is None else None
        for tp in (route.params, route.query, route.view):
            edges_of(tp)  # a broken annotation is told at the start, not by the first request
        self.route = route
        self.decoder = None if route.params is None else Decoder(route.params, key)
        self.query = None if route.query is None else Decoder(route.query)
        self.encoder = None if route.view is None else Encoder(route.view)


class Microversions(msgspec.Struct, frozen=True):
    """
    How a service speaks of versions.

    Its name in `OpenStack-API-Version: compute 2.73`, its range, and the header it had before that one, if any.
    """

    service_type: str
    first: str
    last: str
    legacy_header: str | None = None

    @property
    def spoken(self) -> VersionRange:
        """The range as versions."""
        return VersionRange(Version.parse(self.first), Version.parse(self.last))

    def asked(self, headers: Mapping[str, str]) -> str | None:
        """The text after our name in the request's headers, None when there is none."""
        for part in headers.get("openstack-api-version", "").split(","):
            name, _, version = part.strip().partition(" ")
            if name.lower() == self.service_type:
                return version.strip()
        return headers.get(self.legacy_header.lower()) if self.legacy_header else None

    def echo(self, version: Version) -> dict[str, str]:
        """The headers that tell the client in which version it was answered."""
        told = {"OpenStack-API-Version": f"{self.service_type} {version}"}
        if self.legacy_header:
            told[self.legacy_header] = str(version)
        return {**told, "Vary": ", ".join(told)}


class Service:
    """
    One service, compiled.

    `mount` is its place on the port (`/compute`), `prefix` that of its API below (`/v2.1`). `routes` live below both,
    `root_routes` (version discovery) below `mount` alone. `project_in_path` lets clients put their project's id after the prefix.
    `check_room` raises DiskFull while nothing more is to be made; whoever has a disk to watch sets it.
    `tell_methods=False` answers an unknown method with 404, as Nova does, rather than 405.
    """

    def __init__(  # noqa: PLR0913 -- each is one declared fact about the service
        self,
        name: str,
        *,
        mount: str,
        prefix: str,
        style: Style,
        routes: Iterable[Route],
        root_routes: Iterable[Route] = (),
        microversions: Microversions | None = None,
        project_in_path: bool = False,
        tell_methods: bool = True,
        max_body: int = MIB,
    ) -> None:
        self.name, self.mount, self.prefix, self.style = name, mount.rstrip("/"), prefix.rstrip("/"), style
        self.routes: Sequence[Route] = tuple(routes)
        self.root_routes: Sequence[Route] = tuple(root_routes)
        self.microversions, self.max_body, self.project_in_path = microversions, max_body, project_in_path
        self.spoken = microversions.spoken if microversions else VersionRange()
        self.router = Router(self.routes, project_in_path=project_in_path, tell_methods=tell_methods)
        self.root_router = Router(self.root_routes, tell_methods=tell_methods)
        self.check_room: Callable[[], None] = _room_enough
        self._plans = {id(route): Plan(route) for route in (*self.routes, *self.root_routes)}

    def plan(self, route: Route) -> Plan:
        """The route's codecs."""
        return self._plans[id(route)]

    def negotiate(self, headers: Mapping[str, str]) -> Version:
        """The version to answer in. Raises Rejected or NotAcceptable."""
        return negotiate(self.microversions.asked(headers) if self.microversions else None, self.spoken)

    def echo(self, version: Version) -> dict[str, str]:
        """Version headers for a reply."""
        return self.microversions.echo(version) if self.microversions else {}


def describe_routes(services: Iterable[Service]) -> list[RouteRow]:
    """One row per route of each service, in table order: what `kilonova routes --json` prints."""
    return [
        RouteRow(
            service=service.name,
            method=route.method,
            path=f"{service.mount}{prefix}{route.path}",
            status=route.status,
            action=route.action,
            min=_edge(route.versions.first or service.spoken.first),
            max=_edge(route.versions.last),
            policy=route.policy,
            auth=route.auth,
        )
        for service in services
        for prefix, routes in ((service.prefix, service.routes), ("", service.root_routes))
        for route in routes
        if not route.is_absent
    ]


def _edge(version: Version | None) -> Any:
    return None if version is None else str(version)
