"""
Several servers of one request as they would be placed one after another, on a picture of their own: nothing is claimed.

Each is decided on what those before it would take of their first choice, and on where that leaves their group. A boot may end
otherwise when others are placed meanwhile, and where scores are nearly equal: those are taken in random order.
"""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from kilonova.domain.boot import SchedulingRequest
from kilonova.domain.host import HostUse
from kilonova.domain.placement import Decision
from kilonova.scheduler.fleet import DISK, GENERATION, RAM, SERVERS, VCPUS, Fleet, Group
from kilonova.scheduler.live import LiveFleet


def one_after_another(
    live: LiveFleet, request: SchedulingRequest, first: Decision, count: int, rng: random.Random
) -> tuple[Decision, ...]:
    """The decisions for `count` servers, of which the first is made already; up to the first that finds no host."""
    decisions = [first]
    trial = live.copied() if count > 1 else live
    while len(decisions) < count and decisions[-1].candidates:
        _take(trial, request, decisions[-1].candidates[0].host_id)
        decisions.append(trial.decide(request, rng))
    return tuple(decisions)


def _take(trial: LiveFleet, request: SchedulingRequest, host_id: str) -> None:
    fleet = trial.fleet
    host = fleet.roster.by_id.get(host_id)
    if host is None:
        return  # it left the fleet since it was chosen
    use = fleet.use[:, host].tolist()
    trial.apply(
        HostUse(
            host_id=host_id, vcpus_used=use[VCPUS] + request.vcpus, ram_mib_used=use[RAM] + request.ram_mib,
            disk_gib_used=use[DISK] + request.disk_gib, servers=use[SERVERS] + 1, generation=use[GENERATION] + 1,
        )
    )  # fmt: skip
    _join(fleet, request, host)


def _join(fleet: Fleet, request: SchedulingRequest, host: int) -> None:
    """One more server of the request's group, if it is of one, is on a host."""
    name = request.hints.get("group")
    group = fleet.groups.get(name) if isinstance(name, str) else None
    if group is not None:
        counts = dict(zip(group.hosts.tolist(), group.counts.tolist(), strict=True))
        counts[host] = counts.get(host, 0) + 1
        fleet.groups[str(name)] = _with(group, counts)


def _with(group: Group, counts: dict[int, int]) -> Group:
    hosts = sorted(counts)
    return replace(
        group, hosts=np.array(hosts, np.intp), counts=np.array([counts[host] for host in hosts], group.counts.dtype)
    )
