"""
Allocations, which are servers' claims and read-only here; and usage by project.

A claim is made once and given back once, so a consumer's generation is 1 while it has one and null otherwise. Whoever would write
is told first that a consumer is not of the generation that was sent, which reading again mends, and then that it is not for
clients to write, which nothing mends: clients try again after the one, and must not after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NoReturn

from msgspec import UNSET

from kilonova.api.framework import (
    Maybe,
    Meta,
    Params,
    Query,
    Request,
    Route,
    View,
    becomes,
    between,
    since,
    until,
    wire,
)
from kilonova.api.framework.types import Uuid
from kilonova.api.placement.common import ResourcesView
from kilonova.compute.providers import ConcurrentUpdate
from kilonova.domain.errors import Conflict
from kilonova.runtime import Runtime
from kilonova.store.queries import providers

_CONSUMER, _GENERATION = "INSTANCE", 1

Owner = Annotated[str, Meta(min_length=1, max_length=255)]
ClassName = Annotated[str, Meta(max_length=255, pattern=r"^[A-Z0-9_]+$")]
Amounts = Annotated[dict[ClassName, Annotated[int, Meta(ge=1)]], Meta(min_length=1)]
Suffix = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{0,64}$")]
Mappings = dict[Suffix, Annotated[list[Uuid], Meta(min_length=1)]]


class OfProject(Query, strict=True):
    """Whose usage."""

    project_id: Owner
    user_id: Maybe[Owner] = UNSET
    consumer_type: Annotated[Maybe[str], since("1.38")] = UNSET


class ProviderParams(Params):
    """A provider by its UUID."""

    uuid: Uuid


class ListedParams(Params):
    """What a consumer would have of a provider, as until 1.11."""

    resource_provider: ProviderParams
    resources: Amounts


class HeldParams(Params):
    """What a consumer would have of a provider; its generation may come along, and says nothing."""

    resources: Amounts
    generation: Maybe[int] = UNSET


class SetAllocations(Params):
    """What a consumer would have. From 1.28 on nothing may be, which is how its allocations are given back."""

    listed: Annotated[Maybe[Annotated[list[ListedParams], Meta(min_length=1)]], wire("allocations"), until("1.11")]
    allocations: Annotated[
        Maybe[Annotated[dict[Uuid, HeldParams], Meta(min_length=1)]],
        since("1.12"),
        becomes("1.28", dict[Uuid, HeldParams]),
    ]
    project_id: Annotated[Maybe[Owner], since("1.8")]
    user_id: Annotated[Maybe[Owner], since("1.8")]
    consumer_generation: Annotated[Maybe[int | None], since("1.28")]
    mappings: Annotated[Maybe[Mappings], since("1.34")] = UNSET
    consumer_type: Annotated[Maybe[ClassName], since("1.38")]


class ManagedAllocations(SetAllocations):
    """The same among those of several consumers, where nothing could always be."""

    allocations: Annotated[Maybe[dict[Uuid, HeldParams]], since("1.12")]


class HeldView(View):
    """What a consumer has of one provider."""

    generation: int
    resources: dict[str, int]


class AllocationsView(View):
    """What a consumer has."""

    allocations: dict[str, HeldView]
    project_id: Annotated[Maybe[str], since("1.12")] = UNSET
    user_id: Annotated[Maybe[str], since("1.12")] = UNSET
    consumer_generation: Annotated[Maybe[int], since("1.28")] = UNSET
    consumer_type: Annotated[Maybe[str], since("1.38")] = UNSET


class OnProviderView(View):
    """What is had of a provider, by consumer."""

    allocations: dict[str, ResourcesView]
    resource_provider_generation: int


class Allocations:
    """The resources."""

    def __init__(self, runtime: Runtime) -> None:
        self._database = runtime.db

    def show(self, req: Request[None, Query]) -> AllocationsView:
        """A server's; nothing for what is no server, as Placement answers."""
        with self._database.read() as tx:
            found = providers.allocations(tx, server_id=req.path["consumer_uuid"])
        held = {one.host_id: HeldView(generation=one.generation, resources=one.resources) for one in found}
        if not found:
            return AllocationsView(allocations=held)
        return AllocationsView(
            allocations=held, project_id=found[0].project_id, user_id=found[0].user_id, consumer_generation=_GENERATION,
            consumer_type=_CONSUMER,
        )  # fmt: skip

    def on_provider(self, req: Request[None, Query]) -> OnProviderView:
        """Those on a host."""
        with self._database.read() as tx:
            host = providers.get(tx, req.path["uuid"]).host
            found = providers.allocations(tx, host_id=host.id)
        held = {one.server_id: ResourcesView(resources=one.resources) for one in found}
        return OnProviderView(allocations=held, resource_provider_generation=host.generation)

    def set(self, req: Request[SetAllocations, Query]) -> NoReturn:
        """Make or change a consumer's."""
        self._refuse_to_write({req.path["consumer_uuid"]: req.params})

    def manage(self, req: Request[dict[Uuid, ManagedAllocations], Query]) -> NoReturn:
        """Make, change or delete those of several consumers at once."""
        self._refuse_to_write(req.params)

    def refuse(self, _req: Request[Any, Query]) -> NoReturn:
        """Delete a consumer's, or move them with inventories."""
        raise _not_for_clients()

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

    def _refuse_to_write(self, wanted: Mapping[str, SetAllocations]) -> NoReturn:
        with self._database.read() as tx:
            for consumer, sent in wanted.items():
                now = _GENERATION if providers.allocations(tx, server_id=consumer) else None
                if sent.consumer_generation not in (UNSET, now):
                    raise _not_of_generation(consumer, now)
        raise _not_for_clients()

    def _usage(self, req: Request[None, OfProject]) -> tuple[int, dict[str, int]]:
        sent = req.query
        req.authorize("placement:usages", {"project_id": sent.project_id})
        with self._database.read() as tx:
            return providers.usage(tx, sent.project_id, None if sent.user_id is UNSET else sent.user_id)


def _not_of_generation(consumer: str, now: int | None) -> ConcurrentUpdate:
    return ConcurrentUpdate(
        f"Consumer {consumer} is of generation {'null' if now is None else now}, not of the one sent.",
        next_step="Read its allocations again and retry with their consumer_generation.",
    )


def _not_for_clients() -> Conflict:
    return Conflict(
        "Allocations are what servers have of their hosts: booting a server makes one, deleting it gives it back.",
        next_step="Boot or delete a server.",
    )


_ONE = "/allocations/{consumer_uuid}"

ROUTES = (
    Route("GET", _ONE, Allocations.show, policy="placement:allocations:list", view=AllocationsView,
          summary="Show a server's allocation"),
    Route("PUT", _ONE, Allocations.set, policy="placement:allocations:update", params=SetAllocations,
          summary="Refused: they are servers'"),
    Route("DELETE", _ONE, Allocations.refuse, policy="placement:allocations:delete", summary="Refused: they are servers'"),
    Route("POST", "/allocations", Allocations.manage, versions=since("1.13"), policy="placement:allocations:manage",
          params=Annotated[dict[Uuid, ManagedAllocations], Meta(min_length=1)], summary="Refused: they are servers'"),
    Route("POST", "/reshaper", Allocations.refuse, versions=since("1.30"), policy="placement:reshaper:reshape",
          summary="Refused: they are servers'"),
    Route("GET", "/resource_providers/{uuid}/allocations", Allocations.on_provider,
          policy="placement:resource_providers:allocations:list", view=OnProviderView, summary="List a provider's allocations"),
    Route("GET", "/usages", Allocations.usages, versions=between("1.9", "1.37"), policy="placement:usages", late_policy=True,
          query=OfProject, summary="Show a project's usage"),
    Route("GET", "/usages", Allocations.usages_by_type, versions=since("1.38"), policy="placement:usages", late_policy=True,
          query=OfProject, summary="Show a project's usage by consumer type"),
)  # fmt: skip
