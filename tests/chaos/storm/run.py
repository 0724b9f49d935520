"""One storm, from calm to calm."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.chaos.storm.clouds import StormCloud
from tests.chaos.storm.load import REFUSALS, Load, Record
from tests.chaos.storm.schedule import COMES_BACK_S, schedule
from tests.chaos.storm.strikes import Strikes
from tests.chaos.storm.verdict import Server, Verdict, judge, unexplained
from tests.waiting import wait_until

_MESSAGE_FAULT = re.compile(r'"fault": ?"(drop|double|delay)"')
_FUSE = re.compile("fault point reached")
_LEASE_LOST = re.compile("saga was taken over")
_BYSTANDERS = 3
SETTLES_WITHIN_S = 180.0
_LOOK_EVERY_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Weather:
    """`faults` in all, of which `strikes` are on processes, engines and hosts; `most_s` bounds how long it blows."""

    seed: int
    faults: int
    strikes: int
    every_s: float
    comes_back_s: float = COMES_BACK_S
    most_s: float = 690.0


def run_storm(cloud: StormCloud, weather: Weather, say: Callable[[str], None]) -> dict[str, Any]:
    """Let it blow, and look what is left. The summary; its `failures` are empty when all is as it must be."""
    return _Storm(cloud, weather, say).run()


class _Storm:
    def __init__(self, cloud: StormCloud, weather: Weather, say: Callable[[str], None]) -> None:
        self._cloud, self._weather, self._say = cloud, weather, say
        self._plan = schedule(weather.seed, weather.strikes, weather.every_s, cloud.targets, weather.comes_back_s)
        self._strikes = Strikes(cloud)
        self._failures: list[str] = []

    def run(self) -> dict[str, Any]:
        before = self._boot_bystanders()
        self._strikes.arm()
        began = time.monotonic()
        cloud = self._cloud
        with Load(cloud.clients, cloud.wanted, per_s=cloud.per_s, most=cloud.most, seed=self._weather.seed) as load:
            self._strikes.carry_out(self._plan, self._say, self._weather.most_s)
            self._wait_for_message_faults(began)
        self._strikes.disarm()
        over = time.monotonic()
        self._say(f"{over - began:6.1f} s  the storm is over")
        verdict = self._settle(load.record)
        settled = time.monotonic()
        self._check(load.record, verdict, before)
        return self._summary(load.record, verdict) | {
            "blew_s": round(over - began, 1),
            "slowest_recovery_s": round(settled - over, 1),
            "failures": self._failures,
        }

    # --- before and during ---

    def _boot_bystanders(self) -> dict[str, str]:
        client = self._cloud.clients[0]
        for number in range(_BYSTANDERS):
            client.ok("POST", "/servers", {"server": self._cloud.wanted | {"name": f"bystander-{number}"}})
        wait_until(
            lambda: set(client.statuses().values()) == {"ACTIVE"}, f"bystanders are active: {client.statuses()}", 120
        )
        return self._cloud.runs(self._servers())

    def _wait_for_message_faults(self, began: float) -> None:
        end = began + self._weather.most_s
        while sum(self._counts().values()) < self._weather.faults and time.monotonic() < end:
            time.sleep(_LOOK_EVERY_S)

    def _counts(self) -> Counter[str]:
        return self._strikes.done + Counter(f"message_{fault}" for fault in self._said(_MESSAGE_FAULT))

    def _said(self, pattern: re.Pattern[str]) -> Iterator[str]:
        for log in self._cloud.logs():
            yield from pattern.findall(log.read_text(errors="replace"))

    # --- after ---

    def _settle(self, record: Record) -> Verdict:
        end = time.monotonic() + SETTLES_WITHIN_S
        while True:
            verdict, orphans = self._look(record)
            if verdict is not None and not verdict.unsettled and not verdict.lost and not orphans:
                return verdict
            if time.monotonic() > end:
                self._failures += [*(verdict.unsettled if verdict else []), *([f"audit: {orphans}"] if orphans else [])]
                return verdict or Verdict()
            time.sleep(_LOOK_EVERY_S)

    def _look(self, record: Record) -> tuple[Verdict | None, Any]:
        try:
            verdict = judge(record, self._servers())
            return verdict, {} if verdict.unsettled else self._cloud.clients[0].orphans()
        except (httpx2.HTTPError, AssertionError) as problem:
            return None, str(problem)

    def _check(self, record: Record, verdict: Verdict, before: dict[str, str]) -> None:
        self._failures += [*verdict.lost, *unexplained(verdict)]
        wrong = {status: count for status, count in record.refused.items() if status not in REFUSALS}
        if wrong:
            self._failures.append(f"clients were answered with {wrong}")
        now = self._cloud.runs(self._servers())
        changed = {one: (shown, now.get(one)) for one, shown in before.items() if now.get(one) != shown}
        if changed:
            self._failures.append(f"guests that did not run through it: {changed}")
        try:
            self._cloud.wait_ready()
            self._boot_and_delete()
        except AssertionError as problem:
            self._failures.append(str(problem))

    def _boot_and_delete(self) -> None:
        """In the calm after it, what is asked for comes to be. Raises AssertionError."""
        client, names = self._cloud.clients[0], [f"calm-{number}" for number in range(_BYSTANDERS)]
        made = {
            name: client.ok("POST", "/servers", {"server": self._cloud.wanted | {"name": name}})["server"]["id"]
            for name in names
        }
        wait_until(
            lambda: {one["status"] for one in self._servers() if one["id"] in made.values()} == {"ACTIVE"},
            f"servers made after the storm are active: {client.statuses()}", SETTLES_WITHIN_S,
        )  # fmt: skip
        for server_id in made.values():
            client.ok("DELETE", f"/servers/{server_id}")
        wait_until(
            lambda: not [one for one in self._servers() if one["id"] in made.values()],
            "servers deleted after the storm are gone", SETTLES_WITHIN_S,
        )  # fmt: skip

    def _servers(self) -> list[Server]:
        found: list[Server] = self._cloud.clients[0].ok("GET", "/servers/detail?all_tenants=1&limit=1000")["servers"]
        return found

    def _summary(self, record: Record, verdict: Verdict) -> dict[str, Any]:
        counts = self._counts()
        return {
            "seed": self._weather.seed,
            "faults": sum(counts.values()),
            "strikes": sum(self._strikes.done.values()),
            "by_kind": dict(sorted(counts.items())),
            "fuses_burnt": len([*self._said(_FUSE)]),
            "leases_lost": len([*self._said(_LEASE_LOST)]),
            "accepted": len(record.accepted),
            "unheard": len(record.unheard),
            "refused": dict(sorted(record.refused.items())),
            "active": verdict.active,
            "deleted": verdict.deleted,
            "error": sum(verdict.errors.values()),
            "errors": dict(verdict.errors),
            "schedule": [str(strike) for strike in self._plan],
        }
