"""
Why a server is where it is, or nowhere, and where one would go: Kilonova's own routes, for tenants and operators.

A tenant sees what the scheduler did in words and figures; the names of hosts are shown where policy lets the caller see them.
"""

from kilonova.api.explain.resource import POLICIES, ROUTES, Placements

__all__ = ["POLICIES", "ROUTES", "Placements"]
