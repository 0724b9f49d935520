"""Traits and resource classes: OpenStack's standard ones, and those that operators add under CUSTOM_."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any

import os_resource_classes
import os_traits
from msgspec import UNSET

from kilonova.api.framework import Maybe, Meta, Params, Query, Reply, Request, Route, View, between, reads, since
from kilonova.api.placement.common import Link, href
from kilonova.compute.providers import Providers as UseCases
from kilonova.domain.errors import Conflict, Missing, Rejected
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import providers

_TRAITS, _CLASSES = "traits", "resource_classes"
_CUSTOM = re.compile(r"\ACUSTOM_[A-Z0-9_]{1,248}\Z")


def _check_custom(name: str) -> str:
    if not _CUSTOM.match(name):
        raise ValueError(
            f"{name[:80]!r} does not begin with CUSTOM_, or has more than capitals, digits and underscores"
        )
    return name


CustomName = Annotated[str, Meta(max_length=255), reads(_check_custom)]


def known_traits(tx: Tx) -> list[str]:
    """Every trait there is, sorted."""
    return sorted({*os_traits.get_traits(), *providers.custom(tx, _TRAITS)})


def known_classes(tx: Tx) -> list[str]:
    """Every resource class there is: the standard ones in their order, then the custom ones."""
    return [*os_resource_classes.STANDARDS, *providers.custom(tx, _CLASSES)]


class ListTraits(Query, strict=True):
    """By name (`in:A,B` or `startswith:A`), and those that a provider has."""

    name: Maybe[str] = UNSET
    associated: Maybe[str] = UNSET


class NamedClass(Params):
    """A custom resource class."""

    name: CustomName


class ClassView(View):
    """A resource class."""

    name: str
    links: list[Link]


class Catalogue:
    """The resources, with the use cases behind them."""

    def __init__(self, runtime: Runtime, *, use_cases: UseCases) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def traits(self, req: Request[None, ListTraits]) -> dict[str, Any]:
        """Those asked for."""
        sent = req.query
        with self._database.read() as tx:
            found = known_traits(tx)
            if sent.associated is not UNSET:
                held = {name for one in providers.every(tx) for name in one.traits}
                wanted = sent.associated.lower() == "true"
                found = [name for name in found if (name in held) is wanted]
        return {"traits": found if sent.name is UNSET else _named(found, sent.name)}

    def show_trait(self, req: Request[None, Query]) -> None:
        """Whether there is one."""
        self._must_be(known_traits, "Trait", req.path["name"])

    def add_trait(self, req: Request[None, Query]) -> Reply:
        """Add one."""
        return self._add(req, _TRAITS)

    def remove_trait(self, req: Request[None, Query]) -> None:
        """Take one away."""
        self._remove(_TRAITS, req.path["name"], os_traits.get_traits())

    def classes(self, req: Request[None, Query]) -> list[ClassView]:
        """Every one."""
        with self._database.read() as tx:
            return [_class(req, name) for name in known_classes(tx)]

    def show_class(self, req: Request[None, Query]) -> ClassView:
        """One."""
        self._must_be(known_classes, "Resource class", req.path["name"])
        return _class(req, req.path["name"])

    def create_class(self, req: Request[NamedClass, Query]) -> Reply:
        """Add one; 409 when it is there."""
        if not self._use_cases.add_name(_CLASSES, req.params.name):
            raise Conflict(f"Conflicting resource class already exists: {req.params.name}.")
        return Reply(None, headers={"Location": href(req, f"/{_CLASSES}/{req.params.name}")})

    def ensure_class(self, req: Request[None, Query]) -> Reply:
        """Add one that may be there."""
        return self._add(req, _CLASSES)

    def rename_class(self, req: Request[NamedClass, Query]) -> ClassView:
        """Give one another name, as before 1.7."""
        self._use_cases.remove_name(_CLASSES, _custom_or_rejected(req.path["name"]))
        self._use_cases.add_name(_CLASSES, req.params.name)
        return _class(req, req.params.name)

    def remove_class(self, req: Request[None, Query]) -> None:
        """Take one away."""
        self._remove(_CLASSES, req.path["name"], os_resource_classes.STANDARDS)

    def _add(self, req: Request[Any, Any], kind: str) -> Reply:
        name = _custom_or_rejected(req.path["name"])
        added = self._use_cases.add_name(kind, name)
        return Reply(None, status=201 if added else 204, headers={"Location": href(req, f"/{kind}/{name}")})

    def _remove(self, kind: str, name: str, standard: Iterable[str]) -> None:
        if name in set(standard):
            raise Rejected(f"Cannot delete the standard name {name}.")
        self._use_cases.remove_name(kind, name)

    def _must_be(self, known: Any, kind: str, name: str) -> None:
        with self._database.read() as tx:
            if name not in known(tx):
                raise Missing(kind, name[:255])


def _named(found: list[str], text: str) -> list[str]:
    if text.startswith("startswith:"):
        return [name for name in found if name.startswith(text[11:])]
    if text.startswith("in:"):
        wanted = set(text[3:].split(","))
        return [name for name in found if name in wanted]
    raise Rejected(
        "Badly formatted name parameter. Expected name query string parameter in form: ?name=[in|startswith]:..."
    )


def _custom_or_rejected(name: str) -> str:
    try:
        return _check_custom(name)
    except ValueError as problem:
        raise Rejected(f"Invalid name: {problem}.") from None


def _class(req: Request[Any, Any], name: str) -> ClassView:
    return ClassView(name=name, links=[Link(rel="self", href=href(req, f"/{_CLASSES}/{name}"))])


_TRAIT, _CLASS = "/traits/{name}", "/resource_classes/{name}"
_IN_1_6, _IN_1_2 = since("1.6"), since("1.2")

ROUTES = (
    Route("GET", "/traits", Catalogue.traits, versions=_IN_1_6, policy="placement:traits:list", query=ListTraits,
          summary="List traits"),
    Route("GET", _TRAIT, Catalogue.show_trait, versions=_IN_1_6, status=204, policy="placement:traits:show",
          summary="See whether there is a trait"),
    Route("PUT", _TRAIT, Catalogue.add_trait, versions=_IN_1_6, status=201, policy="placement:traits:update",
          summary="Add a custom trait"),
    Route("DELETE", _TRAIT, Catalogue.remove_trait, versions=_IN_1_6, status=204, policy="placement:traits:delete",
          summary="Take a custom trait away"),
    Route("GET", "/resource_classes", Catalogue.classes, versions=_IN_1_2, policy="placement:resource_classes:list",
          view=ClassView, view_key="resource_classes", summary="List resource classes"),
    Route("POST", "/resource_classes", Catalogue.create_class, versions=_IN_1_2, status=201, params=NamedClass,
          policy="placement:resource_classes:create", summary="Add a custom resource class"),
    Route("GET", _CLASS, Catalogue.show_class, versions=_IN_1_2, policy="placement:resource_classes:show", view=ClassView,
          summary="Show a resource class"),
    Route("PUT", _CLASS, Catalogue.rename_class, versions=between("1.2", "1.6"), policy="placement:resource_classes:update",
          params=NamedClass, view=ClassView, summary="Rename a custom resource class"),
    Route("PUT", _CLASS, Catalogue.ensure_class, versions=since("1.7"), status=201,
          policy="placement:resource_classes:update", summary="Add a custom resource class"),
    Route("DELETE", _CLASS, Catalogue.remove_class, versions=_IN_1_2, status=204,
          policy="placement:resource_classes:delete", summary="Take a custom resource class away"),
)  # fmt: skip
