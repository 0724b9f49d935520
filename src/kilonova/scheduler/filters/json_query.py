"""JsonFilter: an expression over host facts, by the hint `query`."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.fleet import DISK, RAM, SERVERS, VCPUS, Fleet
from kilonova.scheduler.plugin import Filter


class JsonFilter(Filter):
    """Such as `["and", [">=", "$free_ram_mb", 1024], ["in", "$host", "a", "b"]]`. What cannot be read is met by no host."""

    name: ClassVar = "JsonFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        query = request.hints.get("query")
        if not query:
            return fleet.everyone
        try:
            verdict = _evaluate(fleet, json.loads(query if isinstance(query, str) else query[0]), 0)
            return np.broadcast_to(np.asarray(verdict, np.bool_), len(fleet)).copy()
        except (ValueError, TypeError, KeyError, RecursionError):
            return np.zeros(len(fleet), np.bool_)

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        return "the query of the hint says no, or cannot be read"

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return "what the query of the hint asks for"


def _evaluate(fleet: Fleet, query: Any, depth: int) -> Any:
    """The expression's value: a column, or one value for all. Raises for what is no expression."""
    if isinstance(query, str) and query.startswith("$"):
        return _VARIABLES[query[1:]](fleet)
    if not isinstance(query, list):
        return query
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    verb, *operands = query
    values = [_evaluate(fleet, operand, depth + 1) for operand in operands]
    if verb == "not":
        return ~reduce(np.logical_and, values, np.True_)
    if verb in ("and", "or"):
        return reduce(np.logical_and if verb == "and" else np.logical_or, values)
    first, *others = values
    if verb == "in":
        return reduce(np.logical_or, [first == other for other in others], np.False_)
    verdicts = [_COMPARE[verb](first, other) for other in others]
    return reduce(np.logical_and, verdicts) if verdicts else np.False_


def _names(fleet: Fleet) -> Any:
    return np.array(fleet.roster.names)


_DEEPEST = 20
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_VARIABLES: dict[str, Callable[[Fleet], Any]] = {
    "host": _names,
    "hypervisor_hostname": _names,
    "free_ram_mb": lambda fleet: fleet.physical[RAM] - fleet.use[RAM],
    "free_disk_mb": lambda fleet: (fleet.physical[DISK] - fleet.use[DISK]) * 1024,
    "total_usable_ram_mb": lambda fleet: fleet.physical[RAM],
    "vcpus_total": lambda fleet: fleet.physical[VCPUS],
    "vcpus_used": lambda fleet: fleet.use[VCPUS],
    "num_instances": lambda fleet: fleet.use[SERVERS],
    "num_io_ops": lambda fleet: fleet.context.building,
}
