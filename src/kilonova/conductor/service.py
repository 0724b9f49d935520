"""
The conductor: what the rest of the cloud says to it on the bus, and what it runs.

Every message is either a wake-up or a fact. A fact is written in one transaction before the message counts as
handled; what follows from it is left to the saga that waits for it, or to a reconciler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import structlog

from kilonova.conductor import facts
from kilonova.conductor.kernel.runner import Runner
from kilonova.conductor.neighbours import Networks
from kilonova.conductor.timeline import Timeline
from kilonova.domain.host import HostDefaults
from kilonova.domain.hostnet import HostNetwork
from kilonova.domain.server import Server
from kilonova.rpc.commands import RemoveServer
from kilonova.rpc.messages import (
    FleetChanged,
    GuestDataChanged,
    Heartbeat,
    HostObserved,
    HostStarted,
    HostState,
    Message,
    NetworkChanged,
    NetworksChanged,
    NetworksHeld,
    Ok,
    PowerChanged,
    Progress,
    Report,
    SagaReady,
    is_same,
)
from kilonova.runtime import Runtime
from kilonova.store.database import Tx
from kilonova.store.queries import host_access, hosts, saga_leases, server_facts

_log = structlog.get_logger(__name__)

TOPIC = "conductor"


class Reconcilers(Protocol):
    """The work in the background (`reconcilers/base.py`)."""

    def start(self) -> None:
        """Begin; each runs at once."""

    def stop(self) -> None:
        """Finish the activations under way, and end."""

    def wake(self, name: str) -> None:
        """Run this one soon."""


@dataclass(frozen=True)
class ConductorParts:
    """What a conductor is made of besides its runtime."""

    runner: Runner
    reconcilers: Reconcilers
    networks: Networks
    host_defaults: HostDefaults
    on_host_key: Callable[[], None] = lambda: None  # a host has told what is sealed for it


class Conductor:
    """Serves the topic `conductor`."""

    def __init__(self, runtime: Runtime, parts: ConductorParts, *, workers: int = 2) -> None:
        self._runtime, self._parts = runtime, parts
        self._workers = workers
        self._timeline = Timeline(runtime.db, runtime.clock)
        self._stop_serving: Callable[[], None] = lambda: None
        self._handlers: dict[type[Message], Callable[[Any], Message | None]] = {
            SagaReady: self._saga_ready,
            Report: self._report,
            Progress: self._timeline.add,
            Heartbeat: self._heartbeat,
            HostStarted: self._host_started,
            PowerChanged: self._power_changed,
            HostObserved: self._host_observed,
            NetworksHeld: self._networks_held,
            NetworksChanged: lambda _: parts.reconcilers.wake("network_sync"),
            GuestDataChanged: lambda _: parts.reconcilers.wake("guest_data"),
        }

    def start(self) -> None:
        """Go on with every saga there is, and listen."""
        self._timeline.start()
        self._parts.runner.start()
        self._stop_serving = self._runtime.bus.serve(TOPIC, self.handle, workers=self._workers)
        self._parts.reconcilers.start()

    def stop(self) -> None:
        """Finish what is under way, give leases back, and end."""
        self._stop_serving()
        self._parts.reconcilers.stop()
        self._parts.runner.stop()
        self._timeline.stop()

    def handle(self, message: Message) -> Message | None:
        """One message to the conductor."""
        handler = self._handlers.get(type(message))
        if handler is None:
            _log.warning("a message the conductor does not know", message=type(message).__name__)
            return Ok()
        return handler(message) or Ok()

    def _saga_ready(self, ready: SagaReady) -> None:
        self._parts.runner.wake(ready.saga_id, ready.project_id)

    def _power_changed(self, changed: PowerChanged) -> None:
        with self._runtime.db.write() as tx:
            if hosts.runs_as(tx, changed.host, changed.boot_id):
                facts.fold_observation(tx, changed.host, changed.observed, self._runtime.clock.now())

    def _report(self, report: Report) -> None:
        now = self._runtime.clock.now()
        if not is_same(report.epoch, self._runtime.epoch()):
            _log.info("a report from before the records were restored", host=report.host, command=report.command_id)
            return
        with self._runtime.db.write() as tx:
            saga = saga_leases.accept_reply(tx, report.command_id, report.outcome, now)
            if saga is None:
                facts.fold_outcome(tx, report, now)
        if saga is not None:
            self._parts.runner.wake(saga.id, saga.project_id)

    def _heartbeat(self, heartbeat: Heartbeat) -> None:
        with self._runtime.db.write() as tx:
            hosts.seen(tx, heartbeat.hosts, self._runtime.clock.now())

    def _host_started(self, started: HostStarted) -> HostState:
        parts, runtime = self._parts, self._runtime
        now = runtime.clock.now()
        with runtime.db.write() as tx:
            joined = hosts.register(
                tx, started.host, started.boot_id, started.facts, defaults=parts.host_defaults, ids=runtime.ids, now=now
            )
            host_access.set_seal_key(tx, started.host, started.seal_key)
            tx.after_commit(parts.on_host_key)
            facts.fold_host(tx, started.host, started.observed, now, was_restarted=joined.was_restarted)
            self._remove_strays(tx, started.host, facts.strays(tx, started.host, started.observed))
            # Commands sent to this host may have died with its agent: what waits for one asks again now.
            waiting = saga_leases.wake_host(tx, started.host, now)
            state = HostState(network=parts.networks.for_host(tx, started.host), epoch=runtime.epoch())
        runtime.bus.fanout("scheduler", FleetChanged())
        for saga in waiting:
            parts.runner.wake(saga.id, saga.project_id)
        parts.reconcilers.wake("power_state")
        return state

    def _host_observed(self, seen: HostObserved) -> None:
        with self._runtime.db.write() as tx:
            was_restarted = hosts.ran_anew(tx, seen.host, seen.boot_id)
            facts.fold_host(tx, seen.host, seen.observed, self._runtime.clock.now(), was_restarted=was_restarted)
            self._remove_strays(tx, seen.host, facts.strays(tx, seen.host, seen.observed))

    def _networks_held(self, said: NetworksHeld) -> None:
        with self._runtime.db.read() as tx:
            newer = self._parts.networks.newer(tx, said.host, said.held, self._runtime.clock.now())
        # A host of another epoch may lack anything, whatever its numbers are: it will ask for all, once it hears of this one.
        if newer != HostNetwork() or not is_same(said.epoch, self._runtime.epoch()):
            self._runtime.bus.cast(f"agent.{said.host}", NetworkChanged(part=newer))

    def _remove_strays(self, tx: Tx, host: str, strays: list[Server]) -> None:
        for server in strays:
            generation = server_facts.next_generation(tx, server, same=False)
            command = RemoveServer(
                command_id=f"stray/{server.id}/{generation}", server_id=server.id, generation=generation
            )
            _log.info("a machine that should not be there goes", host=host, server=server.id)
            tx.after_commit(partial(self._runtime.bus.cast, f"agent.{host}", command))
