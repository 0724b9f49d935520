"""
The port that takes commands, and the table that says who carries each out.

Commands converge: carrying out the same one twice leaves the same world and answers the same. Nobody here decides that a command
is too old; the agent does (`seen.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from kilonova.domain.report import HostFault, Outcome
from kilonova.rpc.commands import Command

Done = Callable[[Outcome], None]
OnStage = Callable[[str, int], None]  # a stage begins: its name (image, disks, network, domain), percent of the whole
Handler = Callable[[Any, OnStage], Outcome]
Handlers = Mapping[type[Command], Handler]  # by the exact type: a new command is a line of its driver's table


class Commands(Protocol):
    """What carries commands out."""

    def submit(self, command: Command, stage: OnStage, done: Done) -> None:
        """Carry `command` out and call `done` once. Commands about one subject are carried out in the order they came."""

    def close(self) -> None:
        """Finish the commands at work and those that wait."""


def unknown(command: Command) -> Outcome:
    """The answer to a command that a driver has no handler for: another host may have one."""
    message = f"This host's driver does not know the command {type(command).__name__}."
    return Outcome(fault=HostFault(message=message, elsewhere=True))
