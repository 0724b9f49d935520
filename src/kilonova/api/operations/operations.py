"""What an operator asks first: is it up, what is it made of, is anything there that should not be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import kilonova
from kilonova.api.framework import PolicyRule, Query, Request, Route, View
from kilonova.api.operations.load import Load
from kilonova.conductor.audit import Audit
from kilonova.reconcilers.base import LastRun


class HealthView(View):
    """The cloud answers."""

    status: str
    version: str


class ReconcilerView(View):
    """What a reconciler did last."""

    name: str
    last_run_at: datetime | None
    took_s: float
    did: dict[str, int]
    error: str | None


class StatusView(View):
    """What was chosen when the cloud came up, how its reconcilers fare, what is asked of it, which accounts are guessed at."""

    version: str
    chosen: dict[str, str]
    reconcilers: list[ReconcilerView]
    load: dict[str, dict[str, int]]
    guessed: list[str]


class AuditView(View):
    """What should not exist, by kind. A `total` of zero is the only good answer."""

    total: int
    counts: dict[str, int]
    orphans: dict[str, list[str]]
    silent_hosts: list[str]


class Operations:
    """`chosen` says in words what the cloud runs on: database, bus, hypervisor, accelerator. `load` is asked for at each look."""

    def __init__(
        self,
        chosen: Callable[[], dict[str, str]],
        audit: Audit,
        last_runs: Callable[[], list[LastRun]],
        load: Callable[[], Load],
    ) -> None:
        self._version = kilonova.__version__
        self._chosen, self._audit, self._last_runs, self._load = chosen, audit, last_runs, load

    def health(self, _req: Request[None, Query]) -> HealthView:
        """It answers, so it is up."""
        return HealthView(status="ok", version=self._version)

    def status(self, _req: Request[None, Query]) -> StatusView:
        """What it is made of."""
        load = self._load()
        return StatusView(
            version=self._version,
            chosen=self._chosen(),
            reconcilers=[
                ReconcilerView(name=run.name, last_run_at=run.at, took_s=run.took_s, did=run.did, error=run.error)
                for run in self._last_runs()
            ],
            load=load.counts(),
            guessed=load.guessed(),
        )

    def audit(self, _req: Request[None, Query]) -> AuditView:
        """Look through records and hosts."""
        report = self._audit()
        return AuditView(
            total=report.total, counts=report.counts, orphans=report.orphans, silent_hosts=report.silent_hosts
        )


ROUTES = (
    Route("GET", "/health", Operations.health, auth=False, lane="health", view=HealthView),
    Route("GET", "/status", Operations.status, policy="kilonova:status", view=StatusView, view_key="status"),
    Route("GET", "/audit", Operations.audit, policy="kilonova:audit", view=AuditView, view_key="audit"),
)
POLICIES = (
    PolicyRule("kilonova:status", "admin", description="See what the cloud is made of"),
    PolicyRule("kilonova:audit", "admin", description="Count what should not exist"),
    PolicyRule("kilonova:metrics", "admin", description="See the counters, where the API listens beyond loopback"),
)
