from __future__ import annotations

import msgspec
import pytest

from kilonova.domain.report import HostFault, Outcome
from kilonova.domain.saga import about_server
from kilonova.rpc import commands, messages
from kilonova.rpc.amqp import wire
from kilonova.rpc.commands import Command, RemoveServer, ServerCommand
from kilonova.rpc.messages import Message, OfEpoch, Ok, Progress, Report, SagaReady


def test_every_message_that_is_sent_can_be_read() -> None:
    defined = {
        one
        for one in (*vars(messages).values(), *vars(commands).values())
        if isinstance(one, type) and issubclass(one, Message) and one is not Message
    }
    assert set(wire.TYPES) == defined - {Command, OfEpoch, ServerCommand}


@pytest.mark.parametrize(
    "message",
    [
        Ok(request_id="req-1"),
        SagaReady(saga_id="a", request_id="req-1"),
        RemoveServer(command_id="c", server_id="s", generation=3),
        Report(
            host="h", command_id="c", subject=about_server("s"), generation=3,
            outcome=Outcome(fault=HostFault(message="no", code=409)),
        ),
        Progress(
            host="h", command_id="c", subject=about_server("s"), percent=50,
            stage="disks",
        ),
    ],
    ids=lambda message: type(message).__name__,
)  # fmt: skip
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    body = wire.encode(message)
    assert msgspec.json.decode(body)["type"] == type(message).__name__
    assert wire.decode(body) == message


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b'{"type": "Nonsense"}', b'{"type": "SagaReady"}', b"[1]"])
def test_what_is_no_message_of_ours_is_said_to_be_unreadable(body: bytes) -> None:
    with pytest.raises(wire.Unreadable):
        wire.decode(body)


def test_a_field_of_a_later_release_is_passed_over() -> None:
    assert wire.decode(b'{"type": "Ok", "request_id": "a", "colour": "red"}') == Ok(request_id="a")


def test_commands_and_wake_ups_expire_and_reports_do_not() -> None:
    assert wire.expires_s(RemoveServer(command_id="c", server_id="s", generation=3)) == 1800.0
    assert wire.expires_s(SagaReady(saga_id="a")) == 600.0
    assert (
        wire.expires_s(Report(host="h", command_id="c", subject=about_server("s"), generation=3, outcome=Outcome()))
        is None
    )
