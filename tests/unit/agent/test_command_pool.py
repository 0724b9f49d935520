"""Commands in threads: each server's in order, and an answer for every one."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from kilonova.agent.command_pool import CommandPool
from kilonova.agent.commands import OnStage
from kilonova.agent.failure import HostFailure
from kilonova.domain.report import HostFault, Outcome
from kilonova.domain.server import PowerState
from kilonova.rpc.commands import RemoveServer, ServerCommand

WAIT_S = 5


class ScriptedHost:
    """Handlers that carry a removal out as its script for the server says."""

    def __init__(self) -> None:
        self.scripts: dict[str, Callable[[int], Outcome]] = {}

    def remove(self, command: RemoveServer, _stage: OnStage) -> Outcome:
        return self.scripts[command.server_id](command.generation)


@pytest.fixture
def host() -> ScriptedHost:
    return ScriptedHost()


@pytest.fixture
def pool(host: ScriptedHost) -> Iterator[CommandPool]:
    pool = CommandPool({RemoveServer: host.remove}, threads=4)
    yield pool
    pool.close()


def removal(server_id: str, generation: int = 1) -> RemoveServer:
    return RemoveServer(command_id="c", server_id=server_id, generation=generation)


def outcome_of(pool: CommandPool, command: ServerCommand) -> Outcome:
    answered = threading.Event()
    answers: list[Outcome] = []

    def done(outcome: Outcome) -> None:
        answers.append(outcome)
        answered.set()

    pool.submit(command, lambda _name, _percent: None, done)
    assert answered.wait(WAIT_S)
    return answers[0]


def test_the_outcome_is_the_drivers(host: ScriptedHost, pool: CommandPool) -> None:
    host.scripts["a"] = lambda _generation: Outcome(power_state=PowerState.NOSTATE)
    assert outcome_of(pool, removal("a")) == Outcome(power_state=PowerState.NOSTATE)


def test_a_failure_is_the_outcomes_fault(host: ScriptedHost, pool: CommandPool) -> None:
    fault = HostFault(message="full", elsewhere=True)

    def fail(_generation: int) -> Outcome:
        raise HostFailure(fault)

    host.scripts["a"] = fail
    assert outcome_of(pool, removal("a")).fault == fault


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_the_outcomes_fault_and_another_host_may_do(
    host: ScriptedHost, pool: CommandPool, number: int
) -> None:
    def full(_generation: int) -> Outcome:
        raise OSError(number, os.strerror(number), "/var/lib/secret")

    host.scripts["a"] = full
    assert outcome_of(pool, removal("a")).fault == HostFault(
        message="The host's disk is full.", code=507, elsewhere=True
    )


def test_a_break_tells_nothing_of_the_host_and_the_next_command_goes_on(host: ScriptedHost, pool: CommandPool) -> None:
    def broken(generation: int) -> Outcome:
        if generation == 1:
            raise RuntimeError("/var/lib/secret")
        return Outcome()

    host.scripts["a"] = broken
    fault = outcome_of(pool, removal("a")).fault
    assert fault is not None
    assert "secret" not in fault.message + fault.details
    assert outcome_of(pool, removal("a", 2)).fault is None


def test_a_listener_that_breaks_stops_nobody(host: ScriptedHost, pool: CommandPool) -> None:
    host.scripts["a"] = lambda _generation: Outcome()

    def listener(_outcome: Outcome) -> None:
        raise RuntimeError("deaf")

    pool.submit(removal("a"), lambda _name, _percent: None, listener)
    assert outcome_of(pool, removal("a", 2)).fault is None


def test_a_close_waits_for_what_is_at_work(host: ScriptedHost) -> None:
    pool, go_on, ended = CommandPool({RemoveServer: host.remove}), threading.Event(), []
    host.scripts["a"] = lambda _generation: Outcome(boot_id=str(go_on.wait(WAIT_S)))
    pool.submit(removal("a"), lambda _name, _percent: None, ended.append)
    closing = threading.Thread(target=pool.close)
    closing.start()
    assert ended == []
    go_on.set()
    closing.join(WAIT_S)
    assert [outcome.boot_id for outcome in ended] == ["True"]


def test_work_apart_is_done_and_its_failure_ends_nothing(pool: CommandPool, host: ScriptedHost) -> None:
    done = threading.Event()

    def fails() -> None:
        raise OSError("no such image")

    pool.apart(fails, "caching an image")
    pool.apart(done.set, "caching another")
    assert done.wait(WAIT_S)
    host.scripts["a"] = lambda _generation: Outcome()
    assert outcome_of(pool, removal("a")).fault is None


def test_an_unknown_command_is_answered(pool: CommandPool) -> None:
    fault = outcome_of(pool, ServerCommand(command_id="c", server_id="a", generation=1)).fault
    assert fault is not None
    assert "does not know" in fault.message


def test_one_servers_commands_keep_their_order_while_others_go_on(host: ScriptedHost, pool: CommandPool) -> None:
    go_on, seen, at_work = threading.Event(), [], []
    overlap = threading.Event()

    def slow(generation: int) -> Outcome:
        if at_work:
            overlap.set()
        at_work.append(generation)
        assert go_on.wait(WAIT_S)
        seen.append(generation)
        at_work.remove(generation)
        return Outcome()

    host.scripts["slow"] = slow
    host.scripts["quick"] = lambda _generation: Outcome()
    last = threading.Event()
    for generation in range(1, 21):
        pool.submit(
            removal("slow", generation), lambda _n, _p: None, lambda _o, g=generation: last.set() if g == 20 else None
        )
    assert outcome_of(pool, removal("quick")).fault is None
    go_on.set()
    assert last.wait(WAIT_S)
    assert seen == list(range(1, 21))
    assert not overlap.is_set()
