"""Two runners believe that they own one saga, and the one who is wrong finds the work done."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kilonova.conductor.kernel.runner import LEASE_S, ignore_journal
from kilonova.domain.saga import JournalEvent, Saga
from kilonova.rpc.messages import Message
from kilonova.store.database import Database
from tests.world.plane import World


class ClaimedThisMoment(Exception):
    """As PostgreSQL says of a claim that is there already, once the other transaction has committed."""


def collide(_saga: Saga, _event: JournalEvent, _when: str) -> None:
    raise ClaimedThisMoment


def test_who_was_too_slow_lets_go_and_makes_no_noise_about_it(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(database, tmp_path)
    server_id = world.boot()
    ask = world.bus.call

    def stand_still(topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        answer = ask(topic, message, timeout_s=timeout_s)
        monkeypatch.setattr(world.bus, "call", ask)
        world.clock.advance(LEASE_S + 1)
        assert world.runner.run_due()  # whoever takes the saga over claims a host for the server
        world.on_journal = collide
        return answer

    monkeypatch.setattr(world.bus, "call", stand_still)
    with capture_logs() as said:
        world.runner.run_due()
    world.on_journal = ignore_journal
    assert [line for line in said if line["log_level"] == "error"] == []
    assert [line["found"] for line in said if line["event"] == "saga was taken over"] == ["ClaimedThisMoment"]
    world.settle(60)
    server = world.server(server_id)
    assert server.saga is None
    assert server.host
    assert server.fault is None
