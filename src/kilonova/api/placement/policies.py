"""The placement policies by OpenStack's names, each with the role that has it."""

from __future__ import annotations

from kilonova.api.framework import PolicyRule

_SERVICE = """
    resource_providers:list resource_providers:create resource_providers:show resource_providers:update
    resource_providers:delete resource_providers:inventories:list resource_providers:inventories:create
    resource_providers:inventories:show resource_providers:inventories:update resource_providers:inventories:delete
    resource_providers:aggregates:list resource_providers:aggregates:update resource_providers:usages
    resource_providers:traits:list resource_providers:traits:update resource_providers:traits:delete
    resource_providers:allocations:list traits:list traits:show traits:update traits:delete resource_classes:list
    resource_classes:create resource_classes:show resource_classes:update resource_classes:delete allocations:list
    allocations:manage allocations:update allocations:delete allocation_candidates:list reshaper:reshape
"""

POLICIES = (
    *(PolicyRule(f"placement:{name}", "service") for name in _SERVICE.split()),
    PolicyRule("placement:usages", "reader"),
)
