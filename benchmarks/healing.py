"""
What fails in a fleet, and how fast it is whole again: each row of docs/fleet.md's table, measured.

Two APIs, two conductors, a scheduler and two agents with ten simulated hosts each, on PostgreSQL and RabbitMQ, all on this
machine; up to four boots a second through both APIs. A few seconds in, something is struck, for as long as the row says, or for
good. *Served* is from the blow to the first 202 after it; *healed* from the blow (`from_harm_s`) and from the end of it
(`from_return_s`, the start of processes included) to when the last server that was accepted until then (where it is for good: in
the three seconds after) was seen ACTIVE. A row that does not heal ends the whole with an error.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import msgspec

from benchmarks.section import Section, machine
from tests.fleet import Client, Engines, Fleet, Node
from tests.tcpproxy import TcpProxy
from tests.waiting import wait_until

_BEFORE_S, _WHILE_S, _AFTER_S, _PAUSE_S, _HEAL_S = 4.0, 3.0, 4.0, 0.25, 240.0
_HOSTS = 10  # an agent


class Blow(NamedTuple):
    """One row: what is done, for how long (None: for good), and how it ends."""

    name: str
    strike: Callable[[], None]
    lasts_s: float | None
    mend: Callable[[], None]


class Boots:
    """Boots through several APIs in turn; remembers when each was asked for, and what it was told."""

    def __init__(self, clients: Sequence[Client], image: str, prefix: str) -> None:
        self._clients, self._image, self._prefix = clients, image, prefix
        self.accepted: dict[str, float] = {}  # name -> when the 202 came
        self.refused: dict[int, int] = {}  # status -> how many; 0 for requests that no answer came to
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        while not self._stopping.wait(_PAUSE_S):
            name, number = f"{self._prefix}-{number}", number + 1
            try:
                status = self._clients[number % len(self._clients)].boot(name, self._image).status_code
            except httpx2.TransportError:
                status = 0
            if status == 202:
                self.accepted[name] = time.monotonic()
            else:
                self.refused[status] = self.refused.get(status, 0) + 1


class Patient:
    """A fleet that is struck again and again."""

    def __init__(self, fleet: Fleet, proxy: TcpProxy) -> None:
        self.fleet, self.proxy = fleet, proxy
        self.clients = [fleet.client("api-1"), fleet.client("api-2")]
        self.image = self.clients[0].image()

    def measure(self, blow: Blow) -> dict[str, Any]:
        """Strike once, and watch it heal. Leaves no server behind."""
        boots = Boots(self.clients, self.image, blow.name.replace(" ", "-"))
        boots.start()
        time.sleep(_BEFORE_S)
        struck = time.monotonic()
        blow.strike()
        time.sleep(max(0.0, struck + (blow.lasts_s or _WHILE_S) - time.monotonic()))
        back, concerned = time.monotonic(), set(boots.accepted)
        if blow.lasts_s is not None:
            blow.mend()
        healed = self._wait_active(concerned)
        time.sleep(_AFTER_S)
        boots.stop()
        self._wait_active(set(boots.accepted))
        if blow.lasts_s is None:
            blow.mend()
        self.fleet.wait_ready()
        self._clean()
        after = [at for at in boots.accepted.values() if at > struck]
        return {
            "accepted": len(boots.accepted),
            "refused": {str(status): count for status, count in sorted(boots.refused.items())},
            "served_s": round(min(after) - struck, 1) if after else None,
            "from_harm_s": round(healed - struck, 1),
            "from_return_s": None if blow.lasts_s is None else round(healed - back, 1),
        }

    def _wait_active(self, waiting: set[str]) -> float:
        """When the last of them was seen ACTIVE. Fails when one never is."""
        wait_until(lambda: self._look(waiting), "every accepted server is ACTIVE", _HEAL_S)
        return time.monotonic()

    def _look(self, waiting: set[str]) -> bool:
        """Drop those that are ACTIVE. Whether none is left; never while the API is away."""
        try:
            there = self.clients[0].statuses()
        except (httpx2.TransportError, AssertionError):  # it does not answer, or 503
            return False
        lost = {name: there.get(name) for name in waiting if there.get(name) not in ("ACTIVE", "BUILD")}
        if lost:
            raise RuntimeError(f"accepted, and now: {lost}")
        waiting -= {name for name in waiting if there[name] == "ACTIVE"}
        return not waiting

    def _clean(self) -> None:
        client = self.clients[0]
        for server in client.ok("GET", "/servers")["servers"]:
            client.ok("DELETE", f"/servers/{server['id']}")
        wait_until(lambda: not client.statuses(), "all servers are deleted", _HEAL_S)
        wait_until(lambda: not client.orphans(), "the audit is zero", _HEAL_S)


def main(*, only: str = "") -> Section:
    """Strike a fleet in every way, one after another; `only` those whose name has this in it."""
    folder = Path(tempfile.mkdtemp(prefix="kn-bench-healing-"))
    rows: dict[str, Any] = {}
    try:
        with Engines() as engines, engines.fleet(folder) as fleet:
            assert engines.broker is not None
            proxy = TcpProxy(engines.broker.port)
            try:
                patient = _bring_up(fleet, proxy)
                for blow in _blows(fleet, engines, proxy):
                    if only in blow.name:
                        print(f"{blow.name} …", file=sys.stderr, flush=True)
                        rows[blow.name] = patient.measure(blow)
            finally:
                proxy.close()
    finally:
        shutil.rmtree(folder)
    return Section(what="How fast a fleet heals", how=" ".join((__doc__ or "").split()), detail=rows)


def _bring_up(fleet: Fleet, proxy: TcpProxy) -> Patient:
    fleet.env |= {"KILONOVA_LOG_LEVEL": "warning"}
    fleet.start("api", "api", "conductor", "conductor", "scheduler")
    fleet.db("upgrade")
    fleet.wait_ready()
    address, _, path = fleet.bus_url.rpartition("@")[2].partition("/")
    through_proxy = fleet.bus_url.replace(f"@{address}/{path}", f"@127.0.0.1:{proxy.port}/{path}")
    fleet.start("agent", KILONOVA_AGENT_HOSTS=str(_HOSTS))
    fleet.start("agent", KILONOVA_AGENT_HOSTS=str(_HOSTS), KILONOVA_BUS_URL=through_proxy)
    fleet.wait_ready()
    fleet.wait_hosts(2 * _HOSTS)
    fleet.client().lift_quotas()
    return Patient(fleet, proxy)


def _blows(fleet: Fleet, engines: Engines, proxy: TcpProxy) -> list[Blow]:
    assert engines.cluster is not None
    assert engines.broker is not None

    def kill(*names: str) -> Callable[[], None]:
        return partial(_each, fleet, names, Node.kill)

    def start(*names: str) -> Callable[[], None]:
        return partial(_each, fleet, names, Node.start)

    plane = ("api-1", "api-2", "conductor-1", "conductor-2", "scheduler-1")
    return [
        Blow("an API is killed", kill("api-2"), None, start("api-2")),
        Blow("a conductor is killed", kill("conductor-1"), None, start("conductor-1")),
        Blow("a conductor is killed and started again", kill("conductor-1"), 2.0, start("conductor-1")),
        Blow("the scheduler is killed and started again", kill("scheduler-1"), 2.0, start("scheduler-1")),
        Blow("an agent is killed and started again", kill("agent-1"), 2.0, start("agent-1")),
        Blow("PostgreSQL is away", engines.cluster.go_away, 5.0, engines.cluster.come_back),
        Blow("RabbitMQ is away", engines.broker.kill, 10.0, engines.broker.start),
        Blow("the control plane is dead", kill(*plane), 10.0, start(*plane)),
        Blow("hosts are cut off and come back", proxy.freeze, 30.0, proxy.mend),
        Blow("hosts are gone for good", kill("agent-2"), None, start("agent-2")),
    ]


def _each(fleet: Fleet, names: Sequence[str], do: Callable[[Node], None]) -> None:
    for name in names:
        do(fleet.nodes[name])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.healing", description=__doc__)
    parser.add_argument("--only", default="", help="the rows that have this in their name")
    asked = parser.parse_args()
    document = {"machine": machine(), "healing": main(only=asked.only)}
    print(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())
