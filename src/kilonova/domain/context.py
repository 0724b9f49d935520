"""Who is asking, and on whose behalf: the one object that every use case, query and saga is handed."""

from __future__ import annotations

import secrets

import msgspec


def new_request_id() -> str:
    """A request id in OpenStack's form: `req-` and a UUID."""
    h = secrets.token_hex(16)
    return f"req-{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


class RequestContext(msgspec.Struct, frozen=True, kw_only=True):
    """
    The authorised scope of a request. Queries take it, so that none can cross tenants by accident.

    `project_id` is None for a token scoped to a domain, to the system, or to nothing. `all_projects` is set by the rim only
    where policy allowed the caller to look across tenants (`all_tenants=1` and the like).
    """

    request_id: str
    user_id: str | None = None
    user_name: str | None = None
    user_domain_id: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    domain_id: str | None = None
    system_scope: str | None = None
    roles: tuple[str, ...] = ()
    is_admin: bool = False
    all_projects: bool = False
    token_id: str | None = None

    @classmethod
    def internal(cls, why: str) -> RequestContext:
        """The control plane acting for itself (a reconciler, a recovery, the first start)."""
        return cls(
            request_id=new_request_id(), user_name=why, roles=("admin", "service"), is_admin=True, all_projects=True
        )

    def across_projects(self) -> RequestContext:
        """The same caller, allowed by policy to see every project's things."""
        return msgspec.structs.replace(self, all_projects=True)
