"""
Boot a server: place ─► network ─► block_devices ─► spawn ─► activate.

The claim is made in `place`, in the transaction that writes the host on the server's row; under the lock of the server's
group, if it is in one, so that servers placed at the same moment cannot break the group's rule. `spawn` is the only step
that leaves our database: it parks on one `EnsureServer`, and its undo on one `RemoveServer`. A failure that another
host could cure undoes all and begins again without that host; the third time the server is ERROR, with the
scheduler's or the host's own words as its fault, those of every attempt.

What `place` decided is kept in its line of the journal, with why: `store/queries/placements.py` reads it there.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from kilonova.conductor import facts
from kilonova.conductor.kernel.definition import Await, Definition, Failure, Run, Step, StepFailed, TryAgain
from kilonova.conductor.machine import Disks, disks_of, lacks_images, machine_of
from kilonova.conductor.neighbours import Networks
from kilonova.conductor.sagas.host_step import HostStep
from kilonova.domain.allocation import Claim
from kilonova.domain.block_device import BlockDeviceMapping, mappings_of
from kilonova.domain.boot import BootParams, SchedulingRequest
from kilonova.domain.placement import Candidate, Choice, Decision, PassedOver, told
from kilonova.domain.report import Outcome
from kilonova.domain.saga import SagaStatus
from kilonova.domain.server import Fault, Lifecycle
from kilonova.rpc.bus import Bus, NoAnswer
from kilonova.rpc.commands import EnsureServer, RemoveServer
from kilonova.rpc.messages import FleetChanged, FleetUse, Place, Placed
from kilonova.store.database import Tx
from kilonova.store.queries import hosts, server_facts, server_groups, server_specs

_GROUP_WAS_QUICKER = "another server of its group was placed there, or elsewhere, at the same moment"
_NO_ROOM_LEFT = "it had no room left, or was switched off or moved to another zone, when the claim was made"


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Where the server goes, and the scheduler's score for it."""

    host_id: str
    host: str
    zone: str
    score: float


class PlacementRecord(Placement, frozen=True, kw_only=True):
    """The same with why, for the journal: who carries the saga on needs the first part alone."""

    choice: Choice


class PlaceStep(Step[BootParams, Placement]):
    """Ask the scheduler, and claim the best host that still has room."""

    name = "place"
    result = Placement

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def prepare(self, run: Run[BootParams]) -> Decision:
        """The scheduler's decision, without the hosts that failed before."""
        request: SchedulingRequest = run.params.scheduling
        request = msgspec.structs.replace(request, excluded_hosts=request.excluded_hosts + run.failed_hosts)
        try:
            answer = self._bus.call("scheduler", Place(request=request, request_id=run.saga.request_id))
        except NoAnswer:
            raise TryAgain(1.0) from None
        if not isinstance(answer, Placed):
            raise TryAgain(1.0)
        return answer.decision

    def do(self, tx: Tx, run: Run[BootParams], prepared: Decision) -> PlacementRecord:
        """Claim the first candidate that takes it."""
        if not prepared.candidates:
            raise StepFailed(_no_host(prepared))
        wanted = _claim_of(run.params.scheduling)
        group = server_groups.rule_for_claim(tx, run.subject_id)
        passed_over: list[PassedOver] = []
        for candidate in prepared.candidates:
            if group is not None and not group.rule.allows(candidate.host, group.others):
                passed_over.append(PassedOver(host=candidate.host, why=_GROUP_WAS_QUICKER))
                continue
            use = hosts.claim(tx, candidate.host_id, wanted, run.now, zone=candidate.zone)
            if use is not None:
                server_facts.place(tx, run.subject_id, candidate.host, candidate.zone, run.now)
                tx.after_commit(partial(self._bus.fanout, "scheduler", FleetUse(use=use)))
                if group is not None:  # the next of the group is decided on where this one is
                    tx.after_commit(partial(self._bus.fanout, "scheduler", FleetChanged()))
                return _kept(candidate, prepared, passed_over)
            passed_over.append(PassedOver(host=candidate.host, why=_NO_ROOM_LEFT))
        raise TryAgain(0.05)  # the picture was old; the scheduler has heard of the claims that were quicker by then

    def undo(self, tx: Tx, run: Run[BootParams]) -> None:
        """Give the claim back."""
        uses = hosts.release(tx, run.subject_id)
        server_facts.unplace(tx, run.subject_id, run.now)
        for use in uses:
            tx.after_commit(partial(self._bus.fanout, "scheduler", FleetUse(use=use)))


class NetworkStep(Step[BootParams, tuple[str, ...]]):
    """Ports, MACs and fixed addresses from the records."""

    name = "network"
    result = tuple[str, ...]

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def do(self, tx: Tx, run: Run[BootParams], _prepared: Any) -> tuple[str, ...]:
        """Make or take the ports."""
        server = server_facts.get(tx, run.subject_id)
        return self._networks.allocate(tx, server, run.params, run.now)

    def undo(self, tx: Tx, run: Run[BootParams]) -> None:
        """Delete ours, unbind the user's."""
        hosts.hold(tx, run.subject_id)  # the host before networks, as `place` has them
        self._networks.release(tx, run.subject_id, run.now)


class BlockDevicesStep(Step[BootParams, Disks]):
    """The machine's disks, from the server's records."""

    name = "block_devices"
    result = Disks

    def do(self, tx: Tx, run: Run[BootParams], _prepared: Any) -> Disks:
        """Read them; where a process of the release before accepted the boot, write them first."""
        devices = server_specs.devices_of(tx, run.subject_id) or self._write(tx, run)
        return disks_of(devices, run.params)

    def _write(self, tx: Tx, run: Run[BootParams]) -> list[BlockDeviceMapping]:
        if lacks_images(run.params):
            raise StepFailed(
                Failure(message="This boot was accepted by an older release: delete the server and boot it again.")
            )
        devices = mappings_of(server_facts.get(tx, run.subject_id), run.params.block_devices)
        server_specs.add(tx, [run.params], devices)
        return devices


class SpawnStep(HostStep[BootParams]):
    """The host makes the machine."""

    name = "spawn"

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def do(self, tx: Tx, run: Run[BootParams], _prepared: Any) -> Await:
        """Send the whole machine to its host."""
        server = server_facts.get(tx, run.subject_id)
        generation = server_facts.next_generation(tx, server, same=run.is_resend)
        network = self._networks.for_server(tx, server.id)
        command = EnsureServer(
            request_id=run.saga.request_id, command_id=run.command_id, server_id=server.id, generation=generation,
            spec=machine_of(server, run.result(BlockDevicesStep), network, generation), network=network.part,
        )  # fmt: skip
        return Await(host=run.result(PlaceStep).host, command=command)

    def reply(self, tx: Tx, run: Run[BootParams], outcome: Outcome) -> Outcome:
        """It runs, or the host says why not."""
        fault = outcome.fault
        if fault is not None:
            raise StepFailed(
                Failure(
                    message=fault.message,
                    code=fault.code,
                    elsewhere=fault.elsewhere,
                    details=fault.details,
                    host=run.result(PlaceStep).host,
                )
            )
        return outcome

    def undo(self, tx: Tx, run: Run[BootParams]) -> Await | None:
        """Have the host forget it, however far it came."""
        server = server_facts.get(tx, run.subject_id)
        if server.host is None:
            return None
        generation = server_facts.next_generation(tx, server, same=run.is_resend)
        return Await(host=server.host, command=RemoveServer(
            request_id=run.saga.request_id, command_id=run.command_id, server_id=server.id, generation=generation,
        ))  # fmt: skip


class ActivateStep(Step[BootParams, None]):
    """Write down that it runs."""

    name = "activate"

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def do(self, tx: Tx, run: Run[BootParams], _prepared: Any) -> None:
        """The server is ACTIVE from this commit on; whether it still runs is not known if its host went down since it said so."""
        spawned = run.result(SpawnStep)
        state = facts.state_after(tx, run.result(PlaceStep).host, spawned)
        server_facts.launched(tx, run.subject_id, state, run.now)
        self._networks.activate(tx, run.subject_id, run.now)


def boot_saga(bus: Bus, networks: Networks) -> Definition[BootParams]:
    """How a server is made."""
    return Definition(
        kind="boot",
        params=BootParams,
        steps=(
            PlaceStep(bus), NetworkStep(networks), BlockDevicesStep(), SpawnStep(networks), ActivateStep(networks),
        ),
        at_end=_at_end,
    )  # fmt: skip


def _at_end(tx: Tx, run: Run[BootParams], status: SagaStatus) -> None:
    if status is SagaStatus.FAILED and run.failure is not None:
        message = told([failure.message for failure in run.failures])
        fault = Fault(code=run.failure.code, message=message, details=_details(run, run.failure), created_at=run.now)
        server_facts.fail(tx, run.subject_id, Lifecycle.FAILED, fault, run.now)


def _claim_of(request: SchedulingRequest) -> Claim:
    return Claim(server_id=request.server_id, vcpus=request.vcpus, ram_mib=request.ram_mib, disk_gib=request.disk_gib)


def _kept(candidate: Candidate, decision: Decision, passed_over: list[PassedOver]) -> PlacementRecord:
    choice = Choice(
        explanation=decision.explanation.for_keeping(), host=candidate.host, zone=candidate.zone, score=candidate.score,
        passed_over=tuple(passed_over),
    )  # fmt: skip
    return PlacementRecord(
        host_id=candidate.host_id, host=candidate.host, zone=candidate.zone, score=candidate.score, choice=choice
    )


def _no_host(decision: Decision) -> Failure:
    why = decision.explanation
    return Failure(message=why.sentence(), code=500, details=why.details(), choice=Choice(explanation=why))


def _details(run: Run[BootParams], failure: Failure) -> str:
    """The last failure's own, and the hosts of all, for operators."""
    tried = f"Tried: {', '.join(run.failed_hosts)}." if run.failed_hosts else ""
    return f"{failure.details} {tried}".strip()
