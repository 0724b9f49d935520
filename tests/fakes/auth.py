"""Who asks, without an identity service: fixed tokens, each with its caller, for the stories of the other services."""

from __future__ import annotations

from collections.abc import Mapping

from kilonova.domain.context import RequestContext
from kilonova.domain.identity import DEFAULT_DOMAIN_ID
from tests import apiclient

PROJECT_A = "a" * 32
PROJECT_B = "b" * 32
ADMIN_PROJECT = "c" * 32

ADMIN = "token-admin"
MANAGER_A = "token-manager-a"
MEMBER_A = "token-member-a"
OTHER_MEMBER_A = "token-other-member-a"
READER_A = "token-reader-a"
MEMBER_B = "token-member-b"
SERVICE = "token-service"
UNSCOPED = "token-unscoped"
STRANGER = "token-nobody-knows"

_IMPLIED = {
    "admin": ("admin", "manager", "member", "reader"),
    "manager": ("manager", "member", "reader"),
    "member": ("member", "reader"),
    "reader": ("reader",),
    "service": ("service",),
}


def caller(name: str, role: str | None, project_id: str | None) -> RequestContext:
    """A context as a real token of that role on that project gives it; the request id is the rim's to fill in."""
    return RequestContext(
        request_id="",
        user_id=f"user-{name}",
        user_name=name,
        user_domain_id=DEFAULT_DOMAIN_ID,
        project_id=project_id,
        project_name=project_id and f"project-{project_id[0]}",
        project_domain_id=project_id and DEFAULT_DOMAIN_ID,
        roles=_IMPLIED[role] if role else (),
        is_admin=role == "admin",
    )


CALLERS: dict[str, RequestContext] = {
    ADMIN: caller("admin", "admin", ADMIN_PROJECT),
    MANAGER_A: caller("manager-a", "manager", PROJECT_A),
    MEMBER_A: caller("member-a", "member", PROJECT_A),
    OTHER_MEMBER_A: caller("other-member-a", "member", PROJECT_A),
    READER_A: caller("reader-a", "reader", PROJECT_A),
    MEMBER_B: caller("member-b", "member", PROJECT_B),
    SERVICE: caller("service", "service", ADMIN_PROJECT),
    UNSCOPED: caller("unscoped", None, None),
}


class FakeAuthenticator(apiclient.FakeAuthenticator):
    """Knows `CALLERS`, or those it is given, and nobody else."""

    def __init__(self, callers: Mapping[str, RequestContext] | None = None) -> None:
        super().__init__(CALLERS if callers is None else callers)
