"""
The newest generation that a host has seen of each subject, within the present epoch of the control plane's records.

Another epoch may be that of records which were restored, or of a late word from before that; only the control plane knows, and is
asked. That is worth it now and then: a process that was forgotten in the past goes on speaking of it.
"""

from __future__ import annotations

from collections.abc import Mapping

from kilonova.rpc.commands import Command
from kilonova.rpc.messages import is_same

_ASK_AGAIN_S = 60.0


class Seen:
    """See the module's text. Not to be used by two threads at once."""

    def __init__(self) -> None:
        self.epoch = ""
        self._newest: dict[str, int] = {}
        self._asked: dict[str, float] = {}

    def begin(self, epoch: str, carried_out: Mapping[str, int]) -> None:
        """This is the present epoch, in which these were carried out; "" leaves it as it was."""
        is_other = not is_same(epoch, self.epoch)
        self._newest = dict(carried_out) if is_other else {**carried_out, **self._newest}
        self.epoch = epoch or self.epoch

    def why_stale(self, command: Command) -> str:
        """Why a command is too old, in words; "" when it is not."""
        if not is_same(command.epoch, self.epoch):
            return "The command is of another epoch of the cloud's records than the present one: they were restored."
        newest = self._newest.get(command.subject.id, 0)
        if command.generation < newest:
            return f"Generation {command.generation} is older than {newest}, which this host has seen."
        return ""

    def note(self, command: Command) -> None:
        """It is the newest one."""
        self._newest[command.subject.id] = command.generation

    def is_to_be_asked(self, epoch: str, now_s: float) -> bool:
        """Whether to ask which epoch is the present one, as something names this one. Whoever hears yes does."""
        if is_same(epoch, self.epoch) or now_s - self._asked.get(epoch, float("-inf")) < _ASK_AGAIN_S:
            return False
        self._asked[epoch] = now_s
        return True
