"""Message faults follow from their seed, lose nothing that they do not say they lost, and end when they are disarmed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kilonova.domain.errors import Rejected
from kilonova.faults import VARIABLE, Faults, MessageFaults
from kilonova.rpc.messages import Message, SagaReady
from tests.world.clock import ManualClock

MESSAGES = [SagaReady(saga_id=str(number)) for number in range(300)]


class Wire:
    """Where messages arrive, and what the process logged about them."""

    def __init__(self, armed: Path, seed: str = "1", rate: float = 0.3) -> None:
        clock = ManualClock()
        faults = MessageFaults(seed, rate, armed, clock)
        self.arrived: list[str] = []
        with capture_logs() as self.said:
            for message in MESSAGES:
                faults.send(self._deliver, "conductor", message)
        clock.advance(2.0)

    def _deliver(self, topic: str, message: Message) -> None:
        assert topic == "conductor"
        assert isinstance(message, SagaReady)
        self.arrived.append(message.saga_id)

    @property
    def counts(self) -> Counter[str]:
        return Counter(line["fault"] for line in self.said)


@pytest.fixture
def armed(tmp_path: Path) -> Path:
    path = tmp_path / "armed"
    path.touch()
    return path


def test_what_is_said_is_what_was_done(armed: Path) -> None:
    wire = Wire(armed)
    times = Counter(wire.arrived)
    assert min(wire.counts[fault] for fault in ("drop", "double", "delay")) > 10
    assert len(MESSAGES) - len(times) == wire.counts["drop"]
    assert sum(count == 2 for count in times.values()) == wire.counts["double"]
    assert max(times.values()) == 2


def test_what_is_delayed_is_overtaken(armed: Path) -> None:
    firsts = list(dict.fromkeys(Wire(armed).arrived))
    assert firsts != sorted(firsts, key=int)


def test_a_seed_is_a_history(armed: Path) -> None:
    assert Wire(armed).arrived == Wire(armed).arrived
    assert Wire(armed, seed="2").arrived != Wire(armed).arrived


def test_nothing_happens_when_disarmed(tmp_path: Path) -> None:
    wire = Wire(tmp_path / "nothing", rate=1.0)
    assert wire.arrived == [message.saga_id for message in MESSAGES]
    assert wire.said == []


@pytest.mark.parametrize("text", ["messages:1:0.05:/run/armed", "kill:stage:disks,messages:3.api-1:.5:/a"])
def test_the_environment_may_ask_for_them(text: str) -> None:
    Faults({VARIABLE: text})


@pytest.mark.parametrize("text", ["messages:1:2:/a", "messages:1:0.5", "messages:1:0.5:relative"])
def test_what_is_no_message_fault_is_refused(text: str) -> None:
    with pytest.raises(Rejected, match="no fault point"):
        Faults({VARIABLE: text})
