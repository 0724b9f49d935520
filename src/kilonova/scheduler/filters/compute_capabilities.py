"""ComputeCapabilitiesFilter: what the flavor's extra specs ask of a host's facts."""

from __future__ import annotations

from typing import Any, ClassVar

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import HostFacts
from kilonova.scheduler.columns import Bools, Positions
from kilonova.scheduler.filters.operators import matches
from kilonova.scheduler.fleet import Fleet, words
from kilonova.scheduler.plugin import Filter

_SCOPE = "capabilities:"


class ComputeCapabilitiesFilter(Filter):
    """
    `capabilities:cpu_info:arch` and the like must match a fact, by Nova's names and operators (see `operators`).

    A key without a scope counts only on hosts that have a fact of that name; keys of other scopes are other people's.
    """

    name: ClassVar = "ComputeCapabilitiesFilter"

    def mask(self, fleet: Fleet, request: SchedulingRequest) -> Bools:
        specs = _specs(request)
        return fleet.facts.where(lambda facts: not _unmet(facts, specs)) if specs else fleet.everyone

    def reason(self, fleet: Fleet, request: SchedulingRequest, removed: Positions) -> str:
        specs = _specs(request)
        return words(said for facts in fleet.facts.among(removed) for said in _unmet(facts, specs))

    def lacks(self, fleet: Fleet, request: SchedulingRequest, host: int) -> str:
        return " and ".join(_unmet(fleet.facts.at(host), _specs(request)))


def _specs(request: SchedulingRequest) -> dict[str, str]:
    return {key: value for key, value in request.extra_specs.items() if key.startswith(_SCOPE) or ":" not in key}


def _unmet(facts: HostFacts, specs: dict[str, str]) -> list[str]:
    """What facts do not meet, in words."""
    said = []
    for key, wanted in specs.items():
        value = _look_up(facts, key.removeprefix(_SCOPE).split(":"))
        if not matches(value, wanted) and (value is not None or key.startswith(_SCOPE)):
            said.append(f"{key} {wanted} (it is {'unknown' if value is None else value})")
    return said


def _look_up(facts: HostFacts, path: list[str]) -> Any:
    value: Any = _capabilities(facts)
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _capabilities(facts: HostFacts) -> dict[str, Any]:
    """The facts by the names Nova gives them. Free facts may be asked for with or without `stats`."""
    topology = facts.cpu_topology
    return facts.stats | {
        "stats": facts.stats,
        "hypervisor_type": facts.hypervisor_type,
        "hypervisor_version": facts.hypervisor_version,
        "vcpus_total": facts.vcpus,
        "total_usable_ram_mb": facts.ram_mib,
        "cpu_info": {
            "arch": facts.arch,
            "model": facts.cpu_model,
            "topology": topology,
            "features": list(facts.cpu_features),
        },
    }
