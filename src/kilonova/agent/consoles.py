"""The port to what guests say on their consoles."""

from __future__ import annotations

from typing import Protocol


class Consoles(Protocol):
    """Console logs of the machines of one host."""

    def console_output(self, server_id: str, lines: int | None) -> str:
        """The last `lines` lines of the console log (None: all that is kept). Raises Missing."""
