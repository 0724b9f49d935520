"""Plans of moves, for operators: Kilonova's own routes."""

from kilonova.api.rebalance.resource import POLICIES, ROUTES, Rebalances

__all__ = ["POLICIES", "ROUTES", "Rebalances"]
