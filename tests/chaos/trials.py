"""
One kill, and what must be true after it.

A trial begins with a cloud at rest: a bystander that runs, and for deletions the servers to delete. It starts the process with a
fault point, asks for what the saga does, and waits for the death. Then it starts a process without one, and holds it to this,
within a bound: each server ends where it should; the audit counts nothing; the hosts have one machine for each ACTIVE
server and nothing else; a machine that ran when the process died is the same machine now.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.chaos.bench import Bench
from tests.chaos.points import Point
from tests.waiting import wait_until

RECOVERS_WITHIN_S = 45.0
_DIES_WITHIN_S = 30.0
_FAILED = "A fault point failed the machine."


@dataclass
class Tally:
    """What the trials of one saga came to."""

    points: int = 0
    kills: int = 0
    ended_as_expected: int = 0
    orphans: int = 0
    slowest_recovery_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            points=self.points + other.points,
            kills=self.kills + other.kills,
            ended_as_expected=self.ended_as_expected + other.ended_as_expected,
            orphans=self.orphans + other.orphans,
            slowest_recovery_s=max(self.slowest_recovery_s, other.slowest_recovery_s),
            failures=self.failures + other.failures,
        )


class Trials:
    """Runs the trials of one saga on one bench, counting."""

    def __init__(self, bench: Bench, saga: str) -> None:
        self._bench, self._saga, self._cloud = bench, saga, bench.cloud
        self.tally = Tally()
        self._bystander = bench.ask_for("bystander")
        self._cloud.wait_for(self._bystander, "ACTIVE")
        self._prepared = self._boot_batch("first") if saga == "delete" else []
        self._cloud.kill()

    def run(self, point: Point) -> str:
        """Kill at one point, and see. What went wrong, in words; the next trial goes on from a clean cloud."""
        self.tally.points += 1
        wrong = ""
        try:
            self._kill_at(point)
            self._recover(point)
            self.tally.ended_as_expected += 1
        except (AssertionError, httpx2.HTTPError) as failed:
            wrong = str(failed)
            self.tally.failures.append(f"{self._saga} at {point.name}: {wrong}")
            self._clean_up()
        self._cloud.kill()
        return wrong

    def finish(self) -> list[str]:
        """Purge the cloud; what is left then, in words."""
        self._cloud.start()
        self._cloud.purge()
        return self._bench.remains()

    # --- dying ---

    def _kill_at(self, point: Point) -> None:
        undo = "fail:spawn," if self._saga == "undo" else ""
        self._cloud.start(faults=undo + point.fault)
        self._names = [f"{point.name}/{i}" for i in range(self._bench.batch)]
        # Whose request was under way when the process died has no answer; the record says whether it was accepted.
        with contextlib.suppress(httpx2.HTTPError):
            if self._saga == "delete":
                for server_id in self._prepared:
                    self._cloud.compute("DELETE", f"/servers/{server_id}", status=204)
            else:
                for name in self._names:
                    self._bench.ask_for(name)
        wait_until(lambda: self._cloud.is_dead, "the process has died at its fault point", _DIES_WITHIN_S)
        self._cloud.wait_for_death()
        self.tally.kills += 1
        self._machines_at_death = self._bench.machines()
        if point.outage:
            self._bench.long_outage()

    # --- and living again ---

    def _recover(self, point: Point) -> None:
        began = time.monotonic()
        self._cloud.start(faults="fail:spawn" if self._saga == "undo" else "")
        expected = {"boot": self._all_active, "delete": self._all_gone, "undo": self._all_failed}[self._saga]
        wait_until(expected, f"all servers are where they should be ({self._describe})", RECOVERS_WITHIN_S)
        self.tally.slowest_recovery_s = max(self.tally.slowest_recovery_s, time.monotonic() - began)
        self._check()
        if self._saga == "delete":
            # Those whose deletion was never accepted are deleted now; the next point gets fresh ones.
            self._delete(set(self._prepared))
            self._prepared = self._boot_batch(point.name)
        else:
            self._delete({server["id"] for server in self._asked()})
        self._check()

    def _check(self) -> None:
        """Records and hosts are clean, and no machine has changed under anybody."""
        report = self._cloud.audit()
        self.tally.orphans += report["total"]
        assert report["total"] == 0, f"orphans: {report['orphans']}"
        assert report["silent_hosts"] == [], report["silent_hosts"]
        servers = self._servers()
        active = {server["id"] for server in servers if server["status"] == "ACTIVE"}
        machines = self._bench.machines()
        assert set(machines) == active, f"machines {sorted(machines)}, active servers {sorted(active)}"
        ran = {one: shown for one, shown in self._machines_at_death.items() if shown and one in active}
        changed = {one: (shown, machines[one]) for one, shown in ran.items() if machines[one] != shown}
        assert not changed, f"machines that did not run on: {changed}"
        strays = self._bench.strays(active)
        self.tally.orphans += len(strays)
        assert strays == [], f"strays: {strays}"

    def _all_active(self) -> bool:
        asked = self._asked()
        wrong = [server for server in asked if server["status"] not in ("BUILD", "ACTIVE")]
        assert not wrong, f"{wrong[0]['status']}: {wrong[0].get('fault')}"
        return all(server["status"] == "ACTIVE" for server in asked)

    def _all_failed(self) -> bool:
        asked = self._asked()
        assert all(server["status"] in ("BUILD", "ERROR") for server in asked), asked[0]["status"]
        failed = [server for server in asked if server["status"] == "ERROR"]
        assert all(server["fault"]["message"] == _FAILED for server in failed), [server["fault"] for server in failed]
        return len(failed) == len(asked)

    def _all_gone(self) -> bool:
        """Those being deleted; a server whose request died unanswered may be as it was."""
        there = [server for server in self._servers() if server["id"] in self._prepared]
        return all(server["status"] == "ACTIVE" and server["OS-EXT-STS:task_state"] is None for server in there)

    # --- bits ---

    @property
    def _describe(self) -> Callable[[], str]:
        return lambda: str([(server["name"], server["status"]) for server in self._servers()])

    def _servers(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._cloud.compute("GET", "/servers/detail?all_tenants=1")["servers"]
        return found

    def _asked(self) -> list[dict[str, Any]]:
        return [server for server in self._servers() if server["name"] in self._names]

    def _boot_batch(self, name: str) -> list[str]:
        ids = [self._bench.ask_for(f"{name}/{i}") for i in range(self._bench.batch)]
        for server_id in ids:
            self._cloud.wait_for(server_id, "ACTIVE")
        return ids

    def _delete(self, server_ids: set[str]) -> None:
        self._cloud.delete(*(server["id"] for server in self._servers() if server["id"] in server_ids))

    def _clean_up(self) -> None:
        """After a failure: get rid of what it left, so that the next trial's failures are its own."""
        with contextlib.suppress(AssertionError, httpx2.HTTPError):
            if self._cloud.is_dead:
                self._cloud.wait_for_death()
                self._cloud.start()
            self._delete({server["id"] for server in self._servers()} - {self._bystander})
            self._prepared = self._boot_batch("again") if self._saga == "delete" else []
