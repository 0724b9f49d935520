"""
A fleet on one machine: boots, listings, memory, messages and transactions, and how they grow with the servers there are.

Two APIs, two conductors, a scheduler and one agent with all simulated hosts, on PostgreSQL (commits synced to the process, not to
the disk) and RabbitMQ (quorum queues on one node): all of them, and the clients, share the machine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.load import Plan, boot_all
from benchmarks.section import Section, machine, spread_ms
from tests.fleet import Client, Engines, Fleet, Node
from tests.waiting import wait_until

CLIENTS = 10
LISTS = 20
_FEW = 100  # servers before the first measurement
JOIN_S = 600.0
_SENT, _COMMITS, _STATEMENTS = (
    "kilonova_bus_sent_total",
    "kilonova_database_commits_total",
    "kilonova_database_statements_total",
)


def main(*, hosts: int, servers: int, seconds: float) -> Section:
    """Boot for `seconds` with a hundred servers there, fill up to `servers`, and do it again."""
    folder = Path(tempfile.mkdtemp(prefix="kn-bench-fleet-"))
    try:
        with Engines() as engines, engines.fleet(folder) as fleet:
            joined_s = _bring_up(fleet, hosts)
            client = fleet.client()
            image = client.image()
            # The first ones compile statements, and are not counted.
            _boot(fleet, image, seconds=60.0, most=_FEW // CLIENTS)
            stages = [_measure(fleet, client, image, seconds)]
            while (there := _count(client)) < servers:
                _tell(f"{there} servers of {servers}")
                _boot(fleet, image, seconds=600.0, most=-(-(servers - there) // CLIENTS))
            stages.append(_measure(fleet, client, image, seconds))
            memory = {node.name: round(node.memory_mib()) for node in fleet.nodes.values()}
            orphans = client.orphans()
    finally:
        shutil.rmtree(folder)
    return Section(
        what=f"A fleet of {hosts} simulated hosts: 2 APIs, 2 conductors, 1 scheduler, 1 agent; {CLIENTS} clients at once",
        how=" ".join((__doc__ or "").split()),
        detail={
            "hosts_joined_s": joined_s,
            "stages": stages,
            "growth": _growth(*stages),
            "memory_mib": memory,
            "orphans": orphans,
        },
    )


def _growth(few: dict[str, Any], many: dict[str, Any]) -> dict[str, float]:
    """What many servers multiply; 1.0 is a figure that does not grow."""
    found = {"boots_per_s": many["boots_per_s"] / few["boots_per_s"]}
    for figure in ("to_active_ms", "list_1000_ms"):
        found |= {f"{figure} {name}": many[figure][name] / few[figure][name] for name in ("p50", "p95")}
    for figure in ("per_boot", "cpu_ms_per_boot"):
        found |= {f"{figure} {name}": many[figure][name] / max(few[figure][name], 0.1) for name in many[figure]}
    return {name: round(value, 2) for name, value in found.items()}


def _bring_up(fleet: Fleet, hosts: int) -> float:
    fleet.env |= {"KILONOVA_AGENT_PACE": "0", "KILONOVA_LOG_LEVEL": "warning"}
    fleet.start("api", "api", "conductor", "conductor", "scheduler")
    fleet.db("upgrade")
    fleet.wait_ready()
    began = time.monotonic()
    fleet.start("agent", KILONOVA_AGENT_HOSTS=str(hosts))
    fleet.wait_ready()
    conductor = fleet.nodes["conductor-1"]
    wait_until(lambda: conductor.metric("kilonova_hosts") >= hosts, f"{hosts} hosts have joined", JOIN_S)
    fleet.client().lift_quotas()
    return round(time.monotonic() - began, 1)


def _boot(fleet: Fleet, image: str, *, seconds: float, most: int = 1_000_000) -> Any:
    body = {"server": {"name": "bench", "flavorRef": "1", "imageRef": image, "networks": "auto"}}
    token = fleet.client().token
    apis = [node for node in fleet.nodes.values() if node.kind == "api"]
    return boot_all([
        Plan(
            port=api.port, token=token, body=msgspec.json.encode(body), clients=CLIENTS // len(apis), until=seconds, most=most
        )
        for api in apis
    ])  # fmt: skip


def _measure(fleet: Fleet, client: Client, image: str, seconds: float) -> dict[str, Any]:
    there, before, cpu = _count(client), _totals(fleet), _cpu(fleet)
    _tell(f"boots for {seconds:.0f} s beside {there} servers")
    seen = _boot(fleet, image, seconds=seconds)
    after, cpu_after, boots = _totals(fleet), _cpu(fleet), len(seen.to_active)
    if not boots:
        raise RuntimeError(f"nothing booted: {seen.failures[:3]}")
    return {
        "servers_before": there,
        "boots": boots,
        "failures": seen.failures[:3],
        "boots_per_s": round(boots / seen.took_s, 1),
        "to_active_ms": spread_ms(seen.to_active),
        "to_accepted_ms": spread_ms(seen.to_accepted),
        "per_boot": {name: round((after[name] - before[name]) / boots, 1) for name in after},
        "cpu_ms_per_boot": {kind: round((cpu_after[kind] - cpu[kind]) / boots * 1000, 1) for kind in cpu},
        "list_1000_ms": _list(client),
    }


def _list(client: Client) -> dict[str, float]:
    """The first page with detail: 1,000 servers, or as many as there are (in the first measurement)."""
    took = []
    for _ in range(LISTS):
        began = time.perf_counter()
        client.ok("GET", "/servers/detail?limit=1000")
        took.append(time.perf_counter() - began)
    return spread_ms(took)


def _count(client: Client) -> int:
    project = client.ok("GET", "/limits")["limits"]["absolute"]
    return int(project["totalInstancesUsed"])


def _totals(fleet: Fleet) -> dict[str, float]:
    """What all processes have sent and committed. What clients ask to learn that their server is ACTIVE is in the statements."""
    nodes = fleet.nodes.values()
    planes = [node for node in nodes if node.kind != "agent"]
    return {
        "messages": sum(node.metric(_SENT) for node in nodes),
        "commits": sum(node.metric(_COMMITS) for node in planes),
        "statements": sum(node.metric(_STATEMENTS) for node in planes),
    }


def _cpu(fleet: Fleet) -> dict[str, float]:
    found: dict[str, float] = {}
    for node in fleet.nodes.values():
        found[node.kind] = found.get(node.kind, 0.0) + _cpu_s(node)
    return found


def _cpu_s(node: Node) -> float:
    fields = Path(f"/proc/{node.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _tell(text: str) -> None:
    print(f"{text} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--servers", type=int, default=10_000, help="as many before the second measurement")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long each measurement takes")
    asked = parser.parse_args()
    document = {"machine": machine(), "fleet": main(hosts=asked.hosts, servers=asked.servers, seconds=asked.seconds)}
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
