"""
What must hold: after every event (`after_event`, cheap), and once faults have stopped and all has come to rest (`in_the_end`).

The records are read here with SQL of our own, on purpose: a fault of the product's queries must not hide itself.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kilonova.agent.host_network_state import members
from kilonova.conductor.audit import Audit
from kilonova.domain.host import ALIVE_WITHIN_S
from kilonova.domain.server import Intent, Lifecycle, PowerState, Server
from kilonova.store.queries.server_row import server_of
from kilonova.store.tables.compute import servers
from tests.dst.bus import LifeBus
from tests.dst.events import START, Life, LifeClock
from tests.dst.liveness import unexplained
from tests.dst.processes import FACTS
from tests.dst.store import LIMITS, LifeDatabase

if TYPE_CHECKING:
    from tests.dst.world import World

_RECORDS = f"""
SELECT 'host counters do not add up: ' || h.name FROM hosts h LEFT JOIN (
    SELECT host_id, sum(vcpus) v, sum(ram_mib) r, sum(disk_gib) d, count(*) n FROM claims GROUP BY host_id) c ON c.host_id = h.id
  WHERE h.vcpus_used <> coalesce(c.v, 0) OR h.ram_mib_used <> coalesce(c.r, 0) OR h.disk_gib_used <> coalesce(c.d, 0)
     OR h.servers <> coalesce(c.n, 0)
UNION ALL SELECT 'host over its capacity: ' || h.name FROM hosts h
  WHERE h.vcpus_used > {FACTS.vcpus} OR h.ram_mib_used > {FACTS.ram_mib} OR h.disk_gib_used > {FACTS.disk_gib}
UNION ALL SELECT 'claim on a host that the server is not on: ' || c.server_id
  FROM claims c JOIN hosts h ON h.id = c.host_id LEFT JOIN servers s ON s.id = c.server_id WHERE s.host IS NOT h.name
UNION ALL SELECT 'quota does not add up: ' || u.project_id || ' ' || u.resource FROM quota_usage u LEFT JOIN (
    SELECT project_id, count(*) n, sum(json_extract(flavor, '$.vcpus')) v, sum(json_extract(flavor, '$.ram_mib')) r
    FROM servers WHERE lifecycle <> 'deleted' GROUP BY project_id) s ON s.project_id = u.project_id
  WHERE u.used <> coalesce(CASE u.resource WHEN 'instances' THEN s.n WHEN 'cores' THEN s.v WHEN 'ram' THEN s.r ELSE u.used END, 0)
UNION ALL SELECT 'quota passed: ' || project_id FROM quota_usage
  WHERE resource = 'instances' AND used > {LIMITS["instances"]} OR resource = 'cores' AND used > {LIMITS["cores"]}
UNION ALL SELECT 'address twice: ' || address FROM fixed_ips GROUP BY subnet_id, address HAVING count(*) > 1
UNION ALL SELECT 'two of an anti-affinity group on ' || s.host FROM server_groups g
  JOIN server_group_members m ON m.group_id = g.id JOIN servers s ON s.id = m.server_id
  WHERE g.policy = 'anti-affinity' AND s.host IS NOT NULL GROUP BY g.id, s.host HAVING count(*) > 1
UNION ALL SELECT 'an affinity group on several hosts: ' || g.id FROM server_groups g
  JOIN server_group_members m ON m.group_id = g.id JOIN servers s ON s.id = m.server_id
  WHERE g.policy = 'affinity' AND s.host IS NOT NULL GROUP BY g.id HAVING count(DISTINCT s.host) > 1
"""  # noqa: S608 - of constants


_MEMBERS = """
SELECT g.group_id, p.network_id, f.address, p.host FROM ports p JOIN fixed_ips f ON f.port_id = p.id
  LEFT JOIN port_security_groups g ON g.port_id = p.id
"""


class Broken(AssertionError):
    """A property does not hold."""


class Properties:
    """The checks of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._committed = True
        self._seen_at: dict[str, float] = {}
        self._looked_dead: dict[str, float] = {}  # host -> when some conductor could last have given it up

    def committed(self) -> None:
        """The records have changed."""
        self._committed = True

    def after_event(self) -> None:
        if self._committed:
            self._committed = False
            found = [row[0] for row in self.world.store.raw.execute(_RECORDS)]
            if found:
                raise Broken("; ".join(found))
            rows = self.world.store.raw.execute("SELECT name, seen_at FROM hosts")
            self._seen_at = {name: seen_at / 1e6 - START.timestamp() for name, seen_at in rows}
        if self.world.chance.undeclared:
            raise Broken(f"raised what it does not declare: {self.world.chance.undeclared[0]}")
        self._watch_hosts()
        self._one_place_each()

    def _watch_hosts(self) -> None:
        latest = self.world.events.now_s + max(one.skew_s for one in self.world.conductors)
        for host, seen_s in self._seen_at.items():
            if latest - seen_s > ALIVE_WITHIN_S:
                self._looked_dead[host] = self.world.events.now_s

    def _one_place_each(self) -> None:
        """A machine on two hosts, though neither was ever given up since it was asked for; and an address on two machines."""
        places: dict[str, str] = {}
        addresses: dict[str, str] = {}
        for host in self.world.hosts:
            for ident, machine in host.machines._machines.items():
                if machine.removed or self._was_given_up(host.name, ident):
                    continue
                if ident in places:
                    raise Broken(f"server {ident} is on {places[ident]} and on {host.name}")
                places[ident] = host.name
                for address in host.addresses.get(ident, ()):
                    if addresses.setdefault(address, ident) != ident:
                        raise Broken(f"{address} is on {addresses[address]} and on {ident}")

    def _was_given_up(self, host: str, server_id: str) -> bool:
        created_s = self.world.created_s(server_id)
        return self._looked_dead.get(host, -1.0) >= created_s

    # --- the end ---

    def in_the_end(self) -> None:
        """No fault is left, all is up, and whatever reconciles has run."""
        found = self._sagas() + self._servers() + self._networks() + self._audit()
        if found:
            raise Broken("; ".join(found))

    def _sagas(self) -> list[str]:
        rows = self.world.store.raw.execute(
            "SELECT kind, server_id, status, epoch FROM sagas WHERE status IN ('ready', 'parked', 'queued')"
        )
        return [f"saga never ends: {' '.join(map(str, row))}" for row in rows]

    def _servers(self) -> list[str]:
        with self.world.store.transaction() as tx:
            there = {row.id: server_of(row) for row in tx.execute(servers.select())}
        lost = [f"accepted and lost: {ident}" for ident in sorted(self.world.users.accepted - there.keys())]
        return lost + [problem for server in there.values() if (problem := self._server(server))]

    def _server(self, server: Server) -> str:
        if server.lifecycle is Lifecycle.DELETED:
            return ""
        if server.id in self.world.users.deleted:
            return f"accepted delete of {server.id} was lost: {server.lifecycle}"
        if server.lifecycle is Lifecycle.FAILED:
            message = "" if server.fault is None else server.fault.message
            problem = unexplained(message, self.world.chance.faults)
            return f"server {server.id} failed for {problem}" if problem else ""
        if server.lifecycle is not Lifecycle.BUILT:
            return f"server {server.id} is stuck: {server.lifecycle}"
        return self._machine(server)

    def _machine(self, server: Server) -> str:
        machine = next((h.machines.get(server.id) for h in self.world.hosts if h.name == server.host), None)
        state = PowerState.NOSTATE if machine is None else machine.power_state
        if (server.intent, server.power_state, state) != (Intent.ACTIVE, PowerState.RUNNING, PowerState.RUNNING):
            return (
                f"server {server.id} should run: {server.intent}, recorded {server.power_state.name}, is {state.name}"
            )
        if machine is not None and machine.guest_name != server.name:
            return f"the guest of {server.id} was never told of {server.name}: it reads {machine.guest_name}"
        return ""

    def _networks(self) -> list[str]:
        """Each host knows who else is on its networks and in its groups."""
        rows = set(self.world.store.raw.execute(_MEMBERS))
        ends = {(network_id, host) for _, network_id, _, host in rows if host}
        found = []
        for host in self.world.hosts:
            share = host.network.share
            here = {row for row in rows if row[3] == host.name}
            networks, groups = {row[1] for row in here}, {row[0] for row in here if row[0]}
            expected = (
                {(network_id, other) for network_id, other in ends if network_id in networks},
                {(group, network_id, address) for group, network_id, address, _ in rows if group in groups},
            )
            known = (
                {(network.id, end) for network in share.networks for end in network.tunnels},
                {(group, on, address) for (group, on), there in members(share).items() for address in there},
            )
            found += [
                f"{host.name} is wrong about {sorted(one ^ other)}"
                for one, other in zip(expected, known, strict=True)
                if one != other
            ]
        return found

    def _audit(self) -> list[str]:
        world, life = self.world, Life("auditor")
        db = LifeDatabase(world.store, world.events, life, lambda: None)
        clock = LifeClock(world.events, life, lambda: 0.0)
        report = Audit(db, LifeBus(world.transport, life), clock)()
        return [f"audit: {kind} {things}" for kind, things in report.orphans.items()] + [
            f"audit: {host} is silent" for host in report.silent_hosts
        ]


def created_s(created_at: int) -> float:
    """World time of a record's `created_at`, which is in microseconds."""
    return (created_at / 1e6) - (START - timedelta(0)).timestamp()
