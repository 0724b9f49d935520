"""
Messages as they cross the wire: JSON, tagged with the type's name, so that a dead letter can be read by people.

Everything else about a message is in AMQP's own properties: `type` (for people), `message_id`, `user_id` (the broker refuses a
message whose sender is not who it says), `correlation_id` and `reply_to` of calls, and `expiration`.

**Expiry.** A message that only says how things are now is worse late than never: a heartbeat that waited while the conductor was
away would have a dead host alive. Commands expire when the saga that sent them has given up. A wake-up is found again by the pass
over the records. Reports, and whatever else nobody would send again, do not expire.
"""

from __future__ import annotations

from typing import Union

import msgspec

from kilonova.rpc import commands, messages
from kilonova.rpc.commands import Command
from kilonova.rpc.messages import (
    GuestDataChanged,
    Heartbeat,
    HostObserved,
    Message,
    NetworkChanged,
    NetworksChanged,
    NetworksHeld,
    Progress,
    SagaReady,
)

_EXPIRES_S: dict[type[Message], float] = {
    Heartbeat: 30.0,
    HostObserved: 120.0,
    Progress: 600.0,
    SagaReady: 600.0,
    NetworkChanged: 1800.0,
    NetworksChanged: 60.0,
    GuestDataChanged: 60.0,
    NetworksHeld: 120.0,
    Command: 1800.0,
}


def _leaves(base: type[Message]) -> list[type[Message]]:
    there = {**vars(messages), **vars(commands)}.values()
    named = [one for one in there if isinstance(one, type) and issubclass(one, base)]
    return [one for one in named if not any(other is not one and issubclass(other, one) for other in named)]


TYPES = tuple(_leaves(Message))
_decoder = msgspec.json.Decoder(Union[TYPES])  # noqa: UP007 - of a tuple made at run time
encode = msgspec.json.Encoder().encode


class Unreadable(Exception):
    """What came is no message that this release knows."""


def decode(body: bytes | str) -> Message:
    """The message. Raises Unreadable."""
    try:
        message: Message = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Unreadable(str(error)) from error
    return message


def expires_s(message: Message) -> float | None:
    """Seconds after which a cast is worth nothing any more."""
    return next((seconds for kind, seconds in _EXPIRES_S.items() if isinstance(message, kind)), None)


def subject(message: Message) -> str:
    """What a message says something about that the next one of its kind says anew; empty for what must not be left out."""
    match message:
        case Progress(command_id=of) | SagaReady(saga_id=of) | HostObserved(host=of) | NetworksHeld(host=of):
            return f"{type(message).__name__} {of}"
        case Heartbeat() | NetworksChanged() | GuestDataChanged():
            return type(message).__name__
        case _:
            return ""
