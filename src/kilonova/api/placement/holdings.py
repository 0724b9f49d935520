"""What a provider holds: inventories, how much of them is used, and traits."""

from __future__ import annotations

from typing import Annotated, Any, NoReturn

from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Params, Query, Request, Route, View, since
from kilonova.api.placement.catalogue import known_traits
from kilonova.compute.providers import Providers as UseCases
from kilonova.compute.providers import WantedInventory
from kilonova.domain.errors import Conflict, Missing
from kilonova.domain.resource import Inventory, Provider, inventories_of
from kilonova.runtime import Runtime
from kilonova.store.queries import providers

_RULE = "placement:resource_providers"
Positive = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Generation = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class InventoryParams(Params):
    """An inventory to set. Of a host, the units are what they are; the total must be the host's."""

    total: Positive
    reserved: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    allocation_ratio: Annotated[float, Meta(gt=0, le=1_000_000)] = 1.0
    min_unit: Maybe[Positive] = UNSET
    max_unit: Maybe[Positive] = UNSET
    step_size: Maybe[Positive] = UNSET


class SetInventory(InventoryParams):
    """One inventory, for a generation of its provider."""

    resource_provider_generation: Generation


class NewInventory(SetInventory, strict=False):
    """One inventory more, by class."""

    resource_class: str


class SetInventories(Params):
    """All inventories of a provider."""

    inventories: dict[str, InventoryParams]
    resource_provider_generation: Generation


class SetTraits(Params):
    """All traits of a provider."""

    traits: list[str]
    resource_provider_generation: Generation


class AmountsView(View):
    """An inventory."""

    total: int
    reserved: int
    min_unit: int
    max_unit: int
    step_size: int
    allocation_ratio: float


class InventoryView(AmountsView):
    """An inventory by itself."""

    resource_provider_generation: int


class InventoriesView(View):
    """All inventories of a provider."""

    inventories: dict[str, AmountsView]
    resource_provider_generation: int


class UsagesView(View):
    """What is claimed of each inventory."""

    usages: dict[str, int]
    resource_provider_generation: int


class TraitsView(View):
    """The traits of a provider."""

    traits: list[str]
    resource_provider_generation: int


class Holdings:
    """The resources, with the use cases behind them."""

    def __init__(self, runtime: Runtime, *, use_cases: UseCases) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def inventories(self, req: Request[None, Query]) -> InventoriesView:
        """All of a host."""
        return _inventories(self._get(req))

    def inventory(self, req: Request[None, Query]) -> InventoryView:
        """One of a host."""
        return _one(self._get(req), req.path["resource_class"])

    def set_inventories(self, req: Request[SetInventories, Query]) -> InventoriesView:
        """Set ratios and reserves; a class that is left out would be one taken away, which no host lets happen."""
        held, sent = inventories_of(self._get(req).host), req.params
        left_out = sorted(set(held) - set(sent.inventories))
        if left_out:
            raise _not_removable(left_out[0])
        wanted = {name: _wanted(one) for name, one in sent.inventories.items()}
        return _inventories(
            self._use_cases.set_inventories(req.path["uuid"], sent.resource_provider_generation, wanted)
        )

    def set_inventory(self, req: Request[SetInventory, Query]) -> InventoryView:
        """Set the ratio and reserve of one class."""
        name, generation = req.path["resource_class"], req.params.resource_provider_generation
        return _one(self._use_cases.set_inventories(req.path["uuid"], generation, {name: _wanted(req.params)}), name)

    def add_inventory(self, req: Request[NewInventory, Query]) -> NoReturn:
        """Refused: a host has what its agent found."""
        host = self._get(req).host
        raise Conflict(
            f"{host.name} gets no inventory of {req.params.resource_class[:255]}: what a host has is what its agent found."
        )

    def remove_inventory(self, req: Request[None, Query]) -> NoReturn:
        """Refused: a host has what its agent found."""
        name = req.path["resource_class"]
        _one(self._get(req), name)
        raise _not_removable(name)

    def remove_inventories(self, req: Request[None, Query]) -> NoReturn:
        """Refused: a host has what its agent found."""
        self._get(req)
        raise _not_removable("any class")

    def usages(self, req: Request[None, Query]) -> UsagesView:
        """What is claimed of a host."""
        host = self._get(req).host
        used = {name: one.used for name, one in inventories_of(host).items()}
        return UsagesView(usages=used, resource_provider_generation=host.generation)

    def traits(self, req: Request[None, Query]) -> TraitsView:
        """Those of a host."""
        return _traits(self._get(req))

    def set_traits(self, req: Request[SetTraits, Query]) -> TraitsView:
        """Say what a host has, beside what its agent found."""
        with self._database.read() as tx:
            known = known_traits(tx)
        sent = req.params
        found = self._use_cases.set_traits(req.path["uuid"], sent.resource_provider_generation, sent.traits, known)
        return _traits(found)

    def remove_traits(self, req: Request[None, Query]) -> None:
        """Take away what was said of a host; what its agent found stays."""
        self._use_cases.set_traits(req.path["uuid"], self._get(req).host.generation, (), ())

    def _get(self, req: Request[Any, Any]) -> Provider:
        with self._database.read() as tx:
            return providers.get(tx, req.path["uuid"])


def _wanted(sent: InventoryParams) -> WantedInventory:
    return WantedInventory(total=sent.total, reserved=sent.reserved, allocation_ratio=sent.allocation_ratio)


def _not_removable(name: str) -> Conflict:
    return Conflict(
        f"The inventory of {name} cannot be taken away: the inventories of a host are what its agent found.",
        next_step="To let no more servers go there, disable its compute service.",
    )


def _amounts(one: Inventory) -> dict[str, Any]:
    return {
        "total": one.total, "reserved": one.reserved, "min_unit": 1, "max_unit": one.max_unit, "step_size": 1,
        "allocation_ratio": one.allocation_ratio,
    }  # fmt: skip


def _one(provider: Provider, name: str) -> InventoryView:
    found = inventories_of(provider.host).get(name)
    if found is None:
        raise Missing("Inventory of class", f"{name[:255]} of resource provider {provider.host.id}")
    return InventoryView(**_amounts(found), resource_provider_generation=provider.host.generation)


def _inventories(provider: Provider) -> InventoriesView:
    found = {name: AmountsView(**_amounts(one)) for name, one in inventories_of(provider.host).items()}
    return InventoriesView(inventories=found, resource_provider_generation=provider.host.generation)


def _traits(provider: Provider) -> TraitsView:
    return TraitsView(traits=sorted(provider.traits), resource_provider_generation=provider.host.generation)


_ONE = "/resource_providers/{uuid}"
_ALL_OF, _CLASS, _TRAITS = f"{_ONE}/inventories", f"{_ONE}/inventories/{{resource_class}}", f"{_ONE}/traits"
_IN_1_6 = since("1.6")

ROUTES = (
    Route("GET", _ALL_OF, Holdings.inventories, policy=f"{_RULE}:inventories:list", view=InventoriesView,
          summary="List a provider's inventories"),
    Route("PUT", _ALL_OF, Holdings.set_inventories, policy=f"{_RULE}:inventories:update", params=SetInventories,
          view=InventoriesView, summary="Set ratios and reserves"),
    Route("POST", _ALL_OF, Holdings.add_inventory, policy=f"{_RULE}:inventories:create", params=NewInventory,
          summary="Refused: inventories are the host's"),
    Route("DELETE", _ALL_OF, Holdings.remove_inventories, versions=since("1.5"), policy=f"{_RULE}:inventories:delete",
          summary="Refused: inventories are the host's"),
    Route("GET", _CLASS, Holdings.inventory, policy=f"{_RULE}:inventories:show", view=InventoryView,
          summary="Show an inventory"),
    Route("PUT", _CLASS, Holdings.set_inventory, policy=f"{_RULE}:inventories:update", params=SetInventory,
          view=InventoryView, summary="Set a ratio and a reserve"),
    Route("DELETE", _CLASS, Holdings.remove_inventory, policy=f"{_RULE}:inventories:delete",
          summary="Refused: inventories are the host's"),
    Route("GET", f"{_ONE}/usages", Holdings.usages, policy=f"{_RULE}:usages", view=UsagesView, summary="Show what is used"),
    Route("GET", _TRAITS, Holdings.traits, versions=_IN_1_6, policy=f"{_RULE}:traits:list", view=TraitsView,
          summary="Show a provider's traits"),
    Route("PUT", _TRAITS, Holdings.set_traits, versions=_IN_1_6, policy=f"{_RULE}:traits:update", params=SetTraits,
          view=TraitsView, summary="Set a provider's traits"),
    Route("DELETE", _TRAITS, Holdings.remove_traits, versions=_IN_1_6, status=204, policy=f"{_RULE}:traits:delete",
          summary="Take away what was said of a provider"),
)  # fmt: skip
