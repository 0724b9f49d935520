"""
Delete a server: remove ─► release_network ─► release_claim ─► forget.

Forward only: a delete cannot fail, it can only take longer. A host that is down does not hold it up; what is left there goes when
the host comes back and is told what is gone. The address and the claim are given back only after the machine is gone (or its host
counts as dead), so no other server can get them while it runs.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from kilonova.conductor.kernel.definition import Await, Definition, Failure, Run, Step, StepFailed
from kilonova.conductor.neighbours import Networks
from kilonova.conductor.sagas.host_step import host_is_alive
from kilonova.domain.boot import DeleteParams
from kilonova.domain.report import Outcome
from kilonova.domain.saga import SagaStatus
from kilonova.rpc.bus import Bus
from kilonova.rpc.commands import RemoveServer
from kilonova.rpc.messages import FleetUse
from kilonova.store.database import Tx
from kilonova.store.queries import hosts, server_facts


class RemoveStep(Step[DeleteParams, Outcome]):
    """The host forgets the machine."""

    name = "remove"
    result = Outcome

    def do(self, tx: Tx, run: Run[DeleteParams], _prepared: Any) -> Outcome | Await:
        """Tell the host, unless it was never placed or its host is down."""
        server = server_facts.get(tx, run.subject_id)
        if server.host is None or not host_is_alive(tx, server.host, run.now):
            return Outcome()
        generation = server_facts.next_generation(tx, server, same=run.is_resend)
        return Await(host=server.host, command=RemoveServer(
            request_id=run.saga.request_id, command_id=run.command_id, server_id=server.id, generation=generation,
        ))  # fmt: skip

    def reply(self, tx: Tx, run: Run[DeleteParams], outcome: Outcome) -> Outcome:
        """It is gone, or the host must be asked again."""
        if outcome.fault is not None:
            raise StepFailed(Failure(message=outcome.fault.message))
        return outcome


class ReleaseNetworkStep(Step[DeleteParams, None]):
    """Ports and addresses go back."""

    name = "release_network"

    def __init__(self, networks: Networks) -> None:
        self._networks = networks

    def do(self, tx: Tx, run: Run[DeleteParams], _prepared: Any) -> None:
        """Delete ours, unbind the user's."""
        hosts.hold(tx, run.subject_id)  # the host before networks, as a boot has them
        self._networks.release(tx, run.subject_id, run.now)


class ReleaseClaimStep(Step[DeleteParams, None]):
    """What the server is allocated goes back, on every host."""

    name = "release_claim"

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def do(self, tx: Tx, run: Run[DeleteParams], _prepared: Any) -> None:
        """Release its allocations."""
        for use in hosts.release(tx, run.subject_id):
            tx.after_commit(partial(self._bus.fanout, "scheduler", FleetUse(use=use)))


class ForgetStep(Step[DeleteParams, None]):
    """The record says deleted, and its quota is free."""

    name = "forget"

    def do(self, tx: Tx, run: Run[DeleteParams], _prepared: Any) -> None:
        """Mark it deleted."""
        server_facts.forget(tx, server_facts.get(tx, run.subject_id), run.now)


def delete_saga(bus: Bus, networks: Networks) -> Definition[DeleteParams]:
    """How a server is made not to exist."""
    return Definition(
        kind="delete",
        params=DeleteParams,
        steps=(RemoveStep(), ReleaseNetworkStep(networks), ReleaseClaimStep(bus), ForgetStep()),
        at_end=_at_end,
        point_of_no_return=RemoveStep,
    )


def _at_end(tx: Tx, run: Run[DeleteParams], status: SagaStatus) -> None:
    """Nothing is left to write: `forget` was the end of it."""
