"""Who may do what in Identity: Keystone's rule names; writing is for admins, reading one's own is for everybody."""

from __future__ import annotations

from kilonova.api.framework import PolicyRule

_OWN_PROJECT = "role:admin or project_id:%(project_id)s"
_CHECKS = {
    "get_project": _OWN_PROJECT,
    "list_project_tags": _OWN_PROJECT,
    "get_project_tag": _OWN_PROJECT,
    "get_domain": "role:admin or user_domain_id:%(domain_id)s or project_domain_id:%(domain_id)s",
    "validate_token": "role:admin or role:service or user_id:%(user_id)s",
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
    "list_domains", "create_domain", "update_domain", "delete_domain",
    "list_projects", "create_project", "update_project", "delete_project",
    "update_project_tags", "delete_project_tags", "create_project_tag", "delete_project_tag",
    "list_users", "create_user", "update_user", "delete_user",
    "list_groups", "get_group", "create_group", "update_group", "delete_group",
    "list_users_in_group", "add_user_to_group", "check_user_in_group", "remove_user_from_group",
    "create_role", "update_role", "delete_role",
    "list_role_assignments", "list_grants", "check_grant", "create_grant", "revoke_grant",
    "list_system_grants_for_user", "check_system_grant_for_user",
    "create_system_grant_for_user", "revoke_system_grant_for_user",
    "list_system_grants_for_group", "check_system_grant_for_group",
    "create_system_grant_for_group", "revoke_system_grant_for_group",
    "create_region", "update_region", "delete_region",
    "list_services", "get_service", "create_service", "update_service", "delete_service",
    "list_endpoints", "get_endpoint", "create_endpoint", "update_endpoint", "delete_endpoint",
)  # fmt: skip

POLICIES = (
    *(PolicyRule(f"identity:{name}", check=check) for name, check in _CHECKS.items()),
    *(PolicyRule(f"identity:{name}", "owner_user") for name in _OWN),
    *(PolicyRule(f"identity:{name}", "any") for name in _ANYBODY),
    *(PolicyRule(f"identity:{name}", "admin") for name in _ADMIN),
)
