"""Who may do what in Identity: Keystone's rule names; writing is for admins, reading one's own is for everybody."""

from __future__ import annotations

from collections.abc import Iterator

from kilonova.api.framework import PolicyRule

_SERVICE = "role:admin or role:service"
_CHECKS = {
    "get_project": "role:admin or project_id:%(project_id)s",
    "list_project_tags": "role:admin or project_id:%(project_id)s",
    "get_project_tag": "role:admin or project_id:%(project_id)s",
    "get_domain": "role:admin or user_domain_id:%(domain_id)s or project_domain_id:%(domain_id)s",
    "validate_token": f"{_SERVICE} or user_id:%(user_id)s",
    "revoke_token": "role:admin or user_id:%(user_id)s",
    "create_application_credential": "user_id:%(user_id)s",
}
_OWN = (
    "get_user",
    "list_user_projects",
    "list_groups_for_user",
    "list_access_rules",
    "get_application_credential",
    "list_application_credentials",
    "delete_application_credential",
)
_ANYBODY = (
    "list_regions",
    "get_region",
    "list_roles",
    "get_role",
    "list_role_inference_rules",
    "list_implied_roles",
    "get_implied_role",
)
_ADMIN = (
    *(f"{verb}_{noun}" for verb in ("create", "update", "delete") for noun in (
        "domain", "project", "user", "group", "role", "region", "service", "endpoint", "project_tags",
    )),
    *(f"list_{noun}s" for noun in ("domain", "project", "user", "group", "service", "endpoint", "role_assignment")),
    *(f"get_{noun}" for noun in ("group", "service", "endpoint")),
    "create_project_tag", "delete_project_tag",
    "list_users_in_group", "add_user_to_group", "check_user_in_group", "remove_user_from_group",
    "list_grants", "check_grant", "create_grant", "revoke_grant",
    *(f"{verb}_system_grant{plural}_for_{actor}" for actor in ("user", "group") for verb, plural in (
        ("list", "s"), ("check", ""), ("create", ""), ("revoke", ""),
    )),
)  # fmt: skip


def _rules() -> Iterator[PolicyRule]:
    for name, check in _CHECKS.items():
        yield PolicyRule(f"identity:{name}", check=check)
    for role, names in (("owner_user", _OWN), ("any", _ANYBODY), ("admin", _ADMIN)):
        for name in names:
            if name != "create_project_tags":
                yield PolicyRule(f"identity:{name}", role)


POLICIES = tuple(_rules())
