"""Resource providers: the hosts, and what may be set of them."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Params, Query, Request, Route, View, between, since
from kilonova.api.framework.types import Uuid
from kilonova.api.placement.catalogue import known_classes, known_traits
from kilonova.api.placement.common import (
    Link,
    Resources,
    Wanted,
    check_classes,
    href,
    with_aggregates,
    with_room,
    with_traits,
)  # fmt: skip
from kilonova.compute.providers import Providers as UseCases
from kilonova.domain.errors import Conflict
from kilonova.domain.resource import Provider
from kilonova.runtime import Runtime
from kilonova.store.queries import providers

_RULE = "placement:resource_providers"


class ListProviders(Query, strict=True):
    """Filters, all of which a provider must pass."""

    name: Maybe[str] = UNSET
    uuid: Maybe[Uuid] = UNSET
    member_of: Annotated[Maybe[list[str]], since("1.3")] = UNSET
    resources: Annotated[Maybe[Resources], since("1.4")] = UNSET
    in_tree: Annotated[Maybe[Uuid], since("1.14")] = UNSET
    required: Annotated[Maybe[list[str]], since("1.18")] = UNSET


class NamedProvider(Params, strict=False):
    """A provider that somebody would like to make or rename."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class SetAggregates(Params):
    """The aggregates that a provider is to be in, by UUID."""

    aggregates: list[Uuid]
    resource_provider_generation: int


class ProviderView(View):
    """A provider. No host has others below it, so each is the root of its tree."""

    uuid: str
    name: str
    generation: int
    links: list[Link]
    parent_provider_uuid: Annotated[str | None, since("1.14")] = None
    root_provider_uuid: Annotated[str, since("1.14")]


class AggregatesView(View):
    """The aggregates that a provider is in."""

    aggregates: list[str]
    resource_provider_generation: Annotated[int, since("1.19")]


class ResourceProviders:
    """The resource, with the use cases behind it."""

    def __init__(self, runtime: Runtime, *, use_cases: UseCases) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def index(self, req: Request[None, ListProviders]) -> list[ProviderView]:
        """The hosts that pass."""
        with self._database.read() as tx:
            rules = _rules(req.query, known_classes(tx), known_traits(tx))
            return [_view(req, one) for one in providers.every(tx) if all(passes(one) for passes in rules)]

    def show(self, req: Request[None, Query]) -> ProviderView:
        """One."""
        return _view(req, self._get(req))

    def refuse(self, req: Request[NamedProvider, Query]) -> NoReturn:
        """Make, rename or delete one."""
        raise Conflict(
            "Resource providers are this cloud's hosts: they join when their agent starts.",
            next_step="To take one away, delete its compute service.",
        )

    def aggregates(self, req: Request[None, Query]) -> AggregatesView:
        """The aggregates that a host is in."""
        return _aggregates(self._get(req))

    def set_aggregates_unchecked(self, req: Request[list[Uuid], Query]) -> AggregatesView:
        """Put a host into aggregates, as before 1.19: of whatever generation it is."""
        return _aggregates(self._use_cases.set_aggregates(req.path["uuid"], None, req.params))

    def set_aggregates(self, req: Request[SetAggregates, Query]) -> AggregatesView:
        """Put a host into aggregates."""
        sent = req.params
        found = self._use_cases.set_aggregates(req.path["uuid"], sent.resource_provider_generation, sent.aggregates)
        return _aggregates(found)

    def _get(self, req: Request[Any, Any]) -> Provider:
        with self._database.read() as tx:
            return providers.get(tx, req.path["uuid"])


def _rules(sent: ListProviders, classes: list[str], traits: list[str]) -> list[Wanted]:
    rules: list[Wanted] = []
    if sent.name is not UNSET:
        rules.append(lambda one: one.host.name == sent.name)
    if sent.uuid is not UNSET:
        rules.append(lambda one: one.host.id == sent.uuid)
    if sent.in_tree is not UNSET:
        rules.append(lambda one: one.host.id == sent.in_tree)
    if sent.member_of is not UNSET:
        rules.append(with_aggregates(sent.member_of))
    if sent.resources is not UNSET:
        check_classes(sent.resources, classes)
        rules.append(with_room(sent.resources))
    if sent.required is not UNSET:
        rules.append(with_traits(sent.required, traits))
    return rules


def _view(req: Request[Any, Any], one: Provider) -> ProviderView:
    path = f"/resource_providers/{one.host.id}"
    links = [Link(rel="self", href=href(req, path))]
    links += [
        Link(rel=part, href=href(req, f"{path}/{part}"))
        for part in ("inventories", "usages", "aggregates", "traits", "allocations")
    ]
    return ProviderView(
        uuid=one.host.id,
        name=one.host.name,
        generation=one.host.generation,
        links=links,
        root_provider_uuid=one.host.id,
    )


def _aggregates(one: Provider) -> AggregatesView:
    return AggregatesView(aggregates=sorted(one.aggregates), resource_provider_generation=one.host.generation)


_ALL, _ONE = "/resource_providers", "/resource_providers/{uuid}"
_AGGREGATES = f"{_ONE}/aggregates"

ROUTES = (
    Route("GET", _ALL, ResourceProviders.index, policy=f"{_RULE}:list", query=ListProviders, view=ProviderView,
          view_key="resource_providers", summary="List resource providers"),
    Route("POST", _ALL, ResourceProviders.refuse, policy=f"{_RULE}:create", params=NamedProvider,
          summary="Refused: providers are hosts"),
    Route("GET", _ONE, ResourceProviders.show, policy=f"{_RULE}:show", view=ProviderView, summary="Show a resource provider"),
    Route("PUT", _ONE, ResourceProviders.refuse, policy=f"{_RULE}:update", params=NamedProvider,
          summary="Refused: providers are hosts"),
    Route("DELETE", _ONE, ResourceProviders.refuse, policy=f"{_RULE}:delete", summary="Refused: providers are hosts"),
    Route("GET", _AGGREGATES, ResourceProviders.aggregates, versions=since("1.1"), policy=f"{_RULE}:aggregates:list",
          view=AggregatesView, summary="Show a provider's aggregates"),
    Route("PUT", _AGGREGATES, ResourceProviders.set_aggregates_unchecked, versions=between("1.1", "1.18"),
          policy=f"{_RULE}:aggregates:update", params=list[Uuid], view=AggregatesView, summary="Set a provider's aggregates"),
    Route("PUT", _AGGREGATES, ResourceProviders.set_aggregates, versions=since("1.19"), policy=f"{_RULE}:aggregates:update",
          params=SetAggregates, view=AggregatesView, summary="Set a provider's aggregates"),
)  # fmt: skip
