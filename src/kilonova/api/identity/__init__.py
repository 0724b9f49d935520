"""Identity v3: the resources, a file each, and the service they make together."""

from __future__ import annotations

from kilonova.api.framework import IDENTITY, Service, bind
from kilonova.api.identity import (
    application_credentials,
    assignments,
    auth_scopes,
    discovery,
    domains,
    endpoints,
    grants,
    groups,
    project_tags,
    projects,
    regions,
    roles,
    services,
    tokens,
    users,
)
from kilonova.api.identity.policies import POLICIES
from kilonova.identity.service import Identity

_RESOURCES = (
    (tokens.ROUTES, tokens.Tokens),
    (auth_scopes.ROUTES, auth_scopes.AuthScopes),
    (domains.ROUTES, domains.Domains),
    (projects.ROUTES, projects.Projects),
    (project_tags.ROUTES, project_tags.ProjectTags),
    (users.ROUTES, users.Users),
    (groups.ROUTES, groups.Groups),
    (roles.ROUTES, roles.Roles),
    (grants.ROUTES, grants.Grants),
    (assignments.ROUTES, assignments.Assignments),
    (application_credentials.ROUTES, application_credentials.ApplicationCredentials),
    (regions.ROUTES, regions.Regions),
    (services.ROUTES, services.Services),
    (endpoints.ROUTES, endpoints.Endpoints),
)


def identity_service(identity: Identity) -> Service:
    """The service under `/identity`, for the rim."""
    bound = [route for table, resource in _RESOURCES for route in bind(table, resource(identity))]
    return Service(
        "identity",
        mount="/identity",
        prefix="/v3",
        style=IDENTITY,
        routes=[*discovery.ROUTES, *bound],
        root_routes=discovery.ROOT_ROUTES,
    )


__all__ = ["POLICIES", "identity_service"]
