"""The compute policies by OpenStack's names, each with the role that has it unless an operator's policy file says otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from kilonova.api.framework import PolicyRule

_PREFIX = "os_compute_api:"
_BY_ROLE = {
    "reader": """
        servers:index servers:detail servers:show servers:show:flavor-extra-specs server-metadata:index server-metadata:show
        os-server-tags:index os-server-tags:show ips:index ips:show os-security-groups:list os-instance-actions:list
        os-server-groups:index os-server-groups:show
        os-instance-actions:show os-flavor-extra-specs:index os-flavor-extra-specs:show os-quota-sets:show os-quota-sets:detail
    """,
    "member": """
        servers:create servers:create:attach_network servers:create:attach_volume servers:create:trusted_certs servers:update
        servers:delete server-metadata:create server-metadata:update_all server-metadata:update server-metadata:delete
        os-server-tags:update_all os-server-tags:update os-server-tags:delete_all os-server-tags:delete os-console-output
        os-lock-server:lock os-lock-server:unlock os-server-groups:create os-server-groups:delete
    """,
    "admin": """
        servers:index:get_all_tenants servers:detail:get_all_tenants servers:allow_all_filters servers:create:forced_host
        servers:create:zero_disk_flavor servers:show:host_status servers:show:host_status:unknown-only
        os-extended-server-attributes os-instance-actions:events os-instance-actions:events:details
        os-lock-server:unlock:unlock_override os-admin-actions:reset_state os-flavor-manage:create os-flavor-manage:update
        os-flavor-manage:delete os-flavor-access os-flavor-access:add_tenant_access os-flavor-access:remove_tenant_access
        os-flavor-extra-specs:create os-flavor-extra-specs:update os-flavor-extra-specs:delete os-availability-zone:detail
        os-hypervisors:list os-hypervisors:list-detail os-hypervisors:statistics os-hypervisors:show os-hypervisors:uptime
        os-hypervisors:search os-hypervisors:servers os-services:list os-services:update os-services:delete
        os-aggregates:index os-aggregates:show os-aggregates:create os-aggregates:update os-aggregates:delete
        os-aggregates:add_host os-aggregates:remove_host os-aggregates:set_metadata os-server-groups:index:all_projects
        limits:other_project os-quota-sets:update os-quota-sets:delete os-quota-class-sets:show os-quota-class-sets:update
    """,
    "owner_user": "os-keypairs:index os-keypairs:show os-keypairs:create os-keypairs:delete",
    "any": "extensions limits os-availability-zone:list os-quota-sets:defaults",
}


def _rules() -> Iterator[PolicyRule]:
    for role, names in _BY_ROLE.items():
        for name in names.split():
            yield PolicyRule(_PREFIX + name, role)
    yield PolicyRule("compute:servers:create:requested_destination", "admin")
    yield PolicyRule("compute:aggregates:images", "admin")


POLICIES = tuple(_rules())
