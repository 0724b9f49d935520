"""The two small languages that requests may speak, of extra specs and of queries, read in plain Python."""

from __future__ import annotations

import json
import operator
from typing import Any

from tests.unit.scheduler.worlds import World

Host = SchedulingRequest = Any  # the product's structs, read by their fields alone


def spec_holds(have: str, wanted: str) -> bool:
    """The language of extra specs."""
    verb, _, rest = wanted.partition(" ")
    numbers = {"=": operator.ge, "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le}
    texts = {"s==": operator.eq, "s!=": operator.ne, "s<": operator.lt, "s>=": operator.ge}
    if verb in numbers:
        try:
            return bool(numbers[verb](float(have), float(rest)))
        except ValueError:
            return False
    if verb in texts:
        return bool(texts[verb](have, rest))
    if verb == "<or>":
        return have in [word.strip() for word in wanted.split("<or>")[1:]]
    pieces = {"<in>": [rest], "<all-in>": rest.split()}
    return all(piece in have for piece in pieces[verb]) if verb in pieces else have == wanted


def query(world: World, host: Host, wanted: SchedulingRequest) -> bool:
    if not wanted.hints.get("query"):
        return True
    try:
        return bool(_value(world, host, json.loads(str(wanted.hints["query"]))))
    except (ValueError, KeyError, TypeError, IndexError):
        return False


def _value(world: World, host: Host, said: Any) -> Any:
    variables: dict[str, Any] = {
        "$host": host.name, "$hypervisor_hostname": host.name, "$vcpus_total": host.facts.vcpus,
        "$vcpus_used": host.vcpus_used, "$free_ram_mb": host.facts.ram_mib - host.ram_mib_used,
        "$free_disk_mb": (host.facts.disk_gib - host.disk_gib_used) * 1024, "$num_instances": host.servers,
        "$total_usable_ram_mb": host.facts.ram_mib, "$num_io_ops": world.building.get(host.name, 0),
    }  # fmt: skip
    if not isinstance(said, list):
        return variables[said] if isinstance(said, str) and said.startswith("$") else said
    values = [_value(world, host, one) for one in said[1:]]
    if said[0] in ("and", "or", "not"):
        return {"and": all(values), "or": any(values), "not": any(not value for value in values)}[said[0]]
    if said[0] == "in":
        return values[0] in values[1:]
    holds = {"=": operator.eq, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}[said[0]]
    return len(values) > 1 and all(holds(values[0], other) for other in values[1:])
