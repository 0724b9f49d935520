"""Allocations, which are servers' claims and read-only here; usage by project; and where a request of some size could go."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Query, Request, Route, View, between, since, until, wire
from kilonova.api.framework.types import Uuid
from kilonova.api.placement.catalogue import known_classes, known_traits
from kilonova.api.placement.common import Resources, Wanted, check_classes, with_aggregates, with_room, with_traits
from kilonova.domain.errors import Conflict
from kilonova.domain.resource import Provider, inventories_of
from kilonova.store.database import Database
from kilonova.store.queries import providers

_CONSUMER = "INSTANCE"


class OfProject(Query, strict=True):
    """Whose usage."""

    project_id: Annotated[str, Meta(min_length=1, max_length=255)]
    user_id: Maybe[Annotated[str, Meta(min_length=1, max_length=255)]] = UNSET
    consumer_type: Annotated[Maybe[str], since("1.38")] = UNSET


class ListCandidates(Query, strict=True):
    """What is looked for. No provider has others below it, so groups of resources (`resources1`) have no meaning here."""

    resources: Resources
    limit: Annotated[Maybe[Annotated[int, Meta(ge=1)]], since("1.16")] = UNSET
    required: Annotated[Maybe[list[str]], since("1.17")] = UNSET
    member_of: Annotated[Maybe[list[str]], since("1.21")] = UNSET
    group_policy: Annotated[Maybe[str], since("1.25")] = UNSET
    in_tree: Annotated[Maybe[Uuid], since("1.31")] = UNSET


class HeldView(View):
    """What a consumer has of one provider."""

    generation: int
    resources: dict[str, int]


class AllocationsView(View):
    """What a consumer has. A consumer's generation is 1 from its claim to its end."""

    allocations: dict[str, HeldView]
    project_id: Annotated[Maybe[str], since("1.12")] = UNSET
    user_id: Annotated[Maybe[str], since("1.12")] = UNSET
    consumer_generation: Annotated[Maybe[int], since("1.28")] = UNSET
    consumer_type: Annotated[Maybe[str], since("1.38")] = UNSET


class ResourcesView(View):
    """Amounts by class."""

    resources: dict[str, int]


class OnProviderView(View):
    """What is had of a provider, by consumer."""

    allocations: dict[str, ResourcesView]
    resource_provider_generation: int


class CapacityView(View):
    """How much there is of a class, and how much is used."""

    capacity: int
    used: int


class SummaryView(View):
    """A provider of the candidates; until 1.26 with the classes asked for alone."""

    asked: Annotated[dict[str, CapacityView], wire("resources"), until("1.26")]
    resources: Annotated[dict[str, CapacityView], since("1.27")]
    traits: Annotated[list[str], since("1.17")]
    parent_provider_uuid: Annotated[str | None, since("1.29")] = None
    root_provider_uuid: Annotated[str, since("1.29")]


class NamedProviderView(View):
    """A provider by its UUID."""

    uuid: str


class ListedView(View):
    """What would be had of a provider, as until 1.11."""

    resource_provider: NamedProviderView
    resources: dict[str, int]


class RequestView(View):
    """One way to have what was asked for."""

    listed: Annotated[list[ListedView], wire("allocations"), until("1.11")]
    allocations: Annotated[dict[str, ResourcesView], since("1.12")]
    mappings: Annotated[dict[str, list[str]], since("1.34")]


class CandidatesView(View):
    """All ways, and what there is of their providers."""

    allocation_requests: list[RequestView]
    provider_summaries: dict[str, SummaryView]


class Allocations:
    """The resources."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    def show(self, req: Request[None, Query]) -> AllocationsView:
        """A server's; nothing for what is no server, as Placement answers."""
        with self._database.read() as tx:
            found = providers.allocations(tx, server_id=req.path["consumer_uuid"])
        held = {one.host_id: HeldView(generation=one.generation, resources=one.resources) for one in found}
        if not found:
            return AllocationsView(allocations=held)
        return AllocationsView(
            allocations=held, project_id=found[0].project_id, user_id=found[0].user_id, consumer_generation=1,
            consumer_type=_CONSUMER,
        )  # fmt: skip

    def on_provider(self, req: Request[None, Query]) -> OnProviderView:
        """Those on a host."""
        with self._database.read() as tx:
            host = providers.get(tx, req.path["uuid"]).host
            found = providers.allocations(tx, host_id=host.id)
        held = {one.server_id: ResourcesView(resources=one.resources) for one in found}
        return OnProviderView(allocations=held, resource_provider_generation=host.generation)

    def refuse(self, req: Request[Any, Query]) -> NoReturn:
        """Make, change or delete one."""
        raise Conflict(
            "Allocations are what servers have of their hosts: booting a server makes one, deleting it gives it back.",
            next_step="Boot or delete a server.",
        )

    def usages(self, req: Request[None, OfProject]) -> dict[str, Any]:
        """The sum over a project."""
        return {"usages": self._usage(req)[1]}

    def usages_by_type(self, req: Request[None, OfProject]) -> dict[str, Any]:
        """The same, by type of consumer: there is one."""
        count, amounts = self._usage(req)
        if not count or req.query.consumer_type not in (UNSET, _CONSUMER, "all"):
            return {"usages": {}}
        kind = "all" if req.query.consumer_type == "all" else _CONSUMER
        return {"usages": {kind: {"consumer_count": count, **amounts}}}

    def candidates(self, req: Request[None, ListCandidates]) -> CandidatesView:
        """The hosts that could take it."""
        sent = req.query
        with self._database.read() as tx:
            check_classes(sent.resources, known_classes(tx))
            rules = _rules(sent, known_traits(tx))
            found = [one for one in providers.every(tx) if all(passes(one) for passes in rules)]
        found = found if sent.limit is UNSET else found[: sent.limit]
        return CandidatesView(
            allocation_requests=[_request(one, sent.resources) for one in found],
            provider_summaries={one.host.id: _summary(one, sent.resources) for one in found},
        )

    def _usage(self, req: Request[None, OfProject]) -> tuple[int, dict[str, int]]:
        sent = req.query
        req.authorize("placement:usages", {"project_id": sent.project_id})
        with self._database.read() as tx:
            return providers.usage(tx, sent.project_id, None if sent.user_id is UNSET else sent.user_id)


def _rules(sent: ListCandidates, traits: list[str]) -> list[Wanted]:
    rules = [with_room(sent.resources)]
    if sent.required is not UNSET:
        rules.append(with_traits(sent.required, traits))
    if sent.member_of is not UNSET:
        rules.append(with_aggregates(sent.member_of))
    if sent.in_tree is not UNSET:
        rules.append(lambda one: one.host.id == sent.in_tree)
    return rules


def _request(one: Provider, resources: dict[str, int]) -> RequestView:
    ident = one.host.id
    return RequestView(
        listed=[ListedView(resource_provider=NamedProviderView(uuid=ident), resources=resources)],
        allocations={ident: ResourcesView(resources=resources)}, mappings={"": [ident]},
    )  # fmt: skip


def _summary(one: Provider, resources: dict[str, int]) -> SummaryView:
    held = {
        name: CapacityView(capacity=found.capacity, used=found.used) for name, found in inventories_of(one.host).items()
    }
    return SummaryView(
        asked={name: view for name, view in held.items() if name in resources}, resources=held,
        traits=sorted(one.traits), root_provider_uuid=one.host.id,
    )  # fmt: skip


_ONE = "/allocations/{consumer_uuid}"

ROUTES = (
    Route("GET", _ONE, Allocations.show, policy="placement:allocations:list", view=AllocationsView,
          summary="Show a server's allocation"),
    Route("PUT", _ONE, Allocations.refuse, policy="placement:allocations:update", summary="Refused: they are servers'"),
    Route("DELETE", _ONE, Allocations.refuse, policy="placement:allocations:delete", summary="Refused: they are servers'"),
    Route("POST", "/allocations", Allocations.refuse, versions=since("1.13"), policy="placement:allocations:manage",
          summary="Refused: they are servers'"),
    Route("POST", "/reshaper", Allocations.refuse, versions=since("1.30"), policy="placement:reshaper:reshape",
          summary="Refused: they are servers'"),
    Route("GET", "/resource_providers/{uuid}/allocations", Allocations.on_provider,
          policy="placement:resource_providers:allocations:list", view=OnProviderView, summary="List a provider's allocations"),
    Route("GET", "/usages", Allocations.usages, versions=between("1.9", "1.37"), policy="placement:usages", late_policy=True,
          query=OfProject, summary="Show a project's usage"),
    Route("GET", "/usages", Allocations.usages_by_type, versions=since("1.38"), policy="placement:usages", late_policy=True,
          query=OfProject, summary="Show a project's usage by consumer type"),
    Route("GET", "/allocation_candidates", Allocations.candidates, versions=since("1.10"),
          policy="placement:allocation_candidates:list", query=ListCandidates, view=CandidatesView,
          summary="List where a request could go"),
)  # fmt: skip
