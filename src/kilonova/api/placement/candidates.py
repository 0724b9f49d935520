"""Where a request of some size could go: the hosts on which a claim of it would succeed."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET

from kilonova.api.framework import Request, Route, View, since, until, wire
from kilonova.api.placement.catalogue import known_classes, known_traits
from kilonova.api.placement.common import ResourcesView, check_classes, with_room
from kilonova.api.placement.groups import Group, ListCandidates, groups_of, rules_of, total_of
from kilonova.domain.resource import Provider, inventories_of
from kilonova.runtime import Runtime
from kilonova.store.queries import providers


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
    """One way to have what was asked for; `mappings` says by suffix which providers would meet a group."""

    listed: Annotated[list[ListedView], wire("allocations"), until("1.11")]
    allocations: Annotated[dict[str, ResourcesView], since("1.12")]
    mappings: Annotated[dict[str, list[str]], since("1.34")]


class CandidatesView(View):
    """All ways, and what there is of their providers."""

    allocation_requests: list[RequestView]
    provider_summaries: dict[str, SummaryView]


class Candidates:
    """The resource."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.db

    def index(self, req: Request[None, ListCandidates]) -> CandidatesView:
        """The hosts that could take it."""
        sent = req.query
        groups = groups_of(sent)
        total = total_of(groups)
        with self._database.read() as tx:
            check_classes(total, known_classes(tx))
            rules = [with_room(total), *rules_of(sent, groups, known_traits(tx))]
            found = [one for one in providers.every(tx) if all(passes(one) for passes in rules)]
        found = found if sent.limit is UNSET else found[: sent.limit]
        return CandidatesView(
            allocation_requests=[_request(one, total, groups) for one in found],
            provider_summaries={one.host.id: _summary(one, total) for one in found},
        )


def _request(one: Provider, total: dict[str, int], groups: list[Group]) -> RequestView:
    ident = one.host.id
    return RequestView(
        listed=[ListedView(resource_provider=NamedProviderView(uuid=ident), resources=total)],
        allocations={ident: ResourcesView(resources=total)}, mappings={group.suffix: [ident] for group in groups},
    )  # fmt: skip


def _summary(one: Provider, total: dict[str, int]) -> SummaryView:
    held = {
        name: CapacityView(capacity=found.capacity, used=found.used) for name, found in inventories_of(one.host).items()
    }
    return SummaryView(
        asked={name: view for name, view in held.items() if name in total}, resources=held,
        traits=sorted(one.traits), root_provider_uuid=one.host.id,
    )  # fmt: skip


ROUTES = (
    Route("GET", "/allocation_candidates", Candidates.index, versions=since("1.10"),
          policy="placement:allocation_candidates:list", query=ListCandidates, view=CandidatesView,
          summary="List where a request could go"),
)  # fmt: skip
