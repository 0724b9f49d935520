"""What hangs on a flavor: its extra specs, and which projects may use a private one."""

from __future__ import annotations

from typing import Annotated

from kilonova.api.compute.flavors import find_flavor
from kilonova.api.framework import Meta, Params, Query, Request, Route, View, reads, since, until
from kilonova.compute.extra_specs import check_specs
from kilonova.compute.flavors import Flavors as FlavorUseCases
from kilonova.compute.neighbours import Projects
from kilonova.domain.errors import Conflict, Missing, Rejected
from kilonova.runtime import Runtime
from kilonova.store.queries import flavors

_SPECS = "os_compute_api:os-flavor-extra-specs"
_ACCESS = "os_compute_api:os-flavor-access"
_KEY_LETTERS = frozenset("-_:. ")


def _spec_key(key: str) -> str:
    if not 1 <= len(key) <= 255 or not all(ch.isalnum() or ch in _KEY_LETTERS for ch in key):
        raise ValueError("an extra spec's name is 1 to 255 letters, digits, '-', '_', ':', '.' and spaces")
    return key


def _spec_value(value: str | float) -> str:
    text = str(value)
    if len(text) > 255:
        raise ValueError("an extra spec's value has at most 255 characters")
    return text


SpecKey = Annotated[str, reads(_spec_key)]
SpecValue = Annotated[str, reads(_spec_value, str | int | float)]
Specs = dict[SpecKey, SpecValue]
OneSpec = Annotated[Specs, Meta(min_length=1, max_length=1)]
Tenant = Annotated[str, Meta(min_length=1, max_length=255)]


class GrantAccess(Params, strict=since("2.75")):
    """The project to be let in; what else is sent was ignored until 2.74."""

    tenant: Tenant


class RevokeAccess(Params, strict=since("2.75")):
    """The project to be shut out."""

    tenant: Tenant


class AccessView(View):
    """A project that may use a private flavor."""

    flavor_id: str
    tenant_id: str


class ExtraSpecs:
    """Extra specs. From 2.86 on those of known namespaces are validated."""

    def __init__(self, runtime: Runtime, *, use_cases: FlavorUseCases) -> None:
        self._database, self._use_cases = runtime.db, use_cases

    def index(self, req: Request[None, Query]) -> dict[str, str]:
        """All of a flavor's."""
        return find_flavor(self._database, req).extra_specs

    def show(self, req: Request[None, Query]) -> dict[str, str]:
        """One."""
        specs, name = find_flavor(self._database, req).extra_specs, req.path["name"]
        if name not in specs:
            raise Missing(f"Extra spec {name[:255]} of flavor", req.path["flavor_id"])
        return {name: specs[name]}

    def create(self, req: Request[Specs, Query]) -> dict[str, str]:
        """Add some."""
        self._use_cases.set_specs(req.path["flavor_id"], req.params)
        return req.params

    def create_checked(self, req: Request[Specs, Query]) -> dict[str, str]:
        """Add some that are valid."""
        check_specs(req.params)
        return self.create(req)

    def update(self, req: Request[Specs, Query]) -> dict[str, str]:
        """Set the one the path names."""
        if req.path["name"] not in req.params:
            raise Rejected("Request body and URI mismatch")
        return self.create(req)

    def update_checked(self, req: Request[Specs, Query]) -> dict[str, str]:
        """Set the one the path names, if it is valid."""
        check_specs(req.params)
        return self.update(req)

    def delete(self, req: Request[None, Query]) -> None:
        """Take one away."""
        self._use_cases.drop_spec(req.path["flavor_id"], req.path["name"])


class FlavorAccess:
    """Who may use a private flavor."""

    def __init__(self, runtime: Runtime, *, use_cases: FlavorUseCases, projects: Projects) -> None:
        self._database, self._use_cases, self._projects = runtime.db, use_cases, projects

    def index(self, req: Request[None, Query]) -> list[AccessView]:
        """The projects; a public flavor has no such list."""
        flavor = find_flavor(self._database, req)
        if flavor.is_public:
            raise Missing("Access list not available for public flavors: flavor", flavor.id)
        with self._database.read() as tx:
            return _views(flavor.id, flavors.access(tx, flavor.id))

    def grant(self, req: Request[GrantAccess, Query]) -> list[AccessView]:
        """Let a project in."""
        self._check_project(req.params.tenant)
        return _views(req.path["flavor_id"], self._use_cases.grant(req.path["flavor_id"], req.params.tenant))

    def grant_private(self, req: Request[GrantAccess, Query]) -> list[AccessView]:
        """Let a project in; from 2.7 on, a public flavor is refused."""
        if find_flavor(self._database, req).is_public:
            raise Conflict("Can not add access to a public flavor.")
        return self.grant(req)

    def revoke(self, req: Request[RevokeAccess, Query]) -> list[AccessView]:
        """Shut a project out."""
        self._check_project(req.params.tenant)
        return _views(req.path["flavor_id"], self._use_cases.revoke(req.path["flavor_id"], req.params.tenant))

    def _check_project(self, project_id: str) -> None:
        if not self._projects.exists(project_id):
            raise Rejected(f"Project ID {project_id} is not a valid project.")


def _views(flavor_id: str, project_ids: list[str]) -> list[AccessView]:
    return [AccessView(flavor_id=flavor_id, tenant_id=project_id) for project_id in project_ids]


_ONE = "/flavors/{flavor_id}/os-extra_specs/{name}"
_ALL = "/flavors/{flavor_id}/os-extra_specs"

SPEC_ROUTES = (
    Route("GET", _ALL, ExtraSpecs.index, policy=f"{_SPECS}:index", view_key="extra_specs", summary="List a flavor's extra specs"),
    Route("POST", _ALL, ExtraSpecs.create, versions=until("2.85"), policy=f"{_SPECS}:create", params=Specs,
          params_key="extra_specs", view_key="extra_specs", summary="Add extra specs"),
    Route("POST", _ALL, ExtraSpecs.create_checked, versions=since("2.86"), policy=f"{_SPECS}:create", params=Specs,
          params_key="extra_specs", view_key="extra_specs", summary="Add extra specs"),
    Route("GET", _ONE, ExtraSpecs.show, policy=f"{_SPECS}:show", summary="Show an extra spec"),
    Route("PUT", _ONE, ExtraSpecs.update, versions=until("2.85"), policy=f"{_SPECS}:update", params=OneSpec,
          summary="Set an extra spec"),
    Route("PUT", _ONE, ExtraSpecs.update_checked, versions=since("2.86"), policy=f"{_SPECS}:update", params=OneSpec,
          summary="Set an extra spec"),
    Route("DELETE", _ONE, ExtraSpecs.delete, policy=f"{_SPECS}:delete", summary="Delete an extra spec"),
)  # fmt: skip

_ACTION = "/flavors/{flavor_id}/action"

ACCESS_ROUTES = (
    Route("GET", "/flavors/{flavor_id}/os-flavor-access", FlavorAccess.index, policy=_ACCESS, view=AccessView,
          view_key="flavor_access", summary="List the projects of a private flavor"),
    Route("POST", _ACTION, FlavorAccess.grant, action="addTenantAccess", versions=until("2.6"),
          policy=f"{_ACCESS}:add_tenant_access", params=GrantAccess, view=AccessView, view_key="flavor_access"),
    Route("POST", _ACTION, FlavorAccess.grant_private, action="addTenantAccess", versions=since("2.7"),
          policy=f"{_ACCESS}:add_tenant_access", params=GrantAccess, view=AccessView, view_key="flavor_access"),
    Route("POST", _ACTION, FlavorAccess.revoke, action="removeTenantAccess", policy=f"{_ACCESS}:remove_tenant_access",
          params=RevokeAccess, view=AccessView, view_key="flavor_access"),
)  # fmt: skip
