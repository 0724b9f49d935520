"""Into a guest by ssh."""

from __future__ import annotations

from pathlib import Path

_OPTIONS = (
    "BatchMode=yes",
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "ConnectTimeout=10",
)


def ssh(key: Path, address: str, command: str) -> list[str]:
    """The command that runs a command as a guest's root."""
    return ["ssh", *(f"-o{option}" for option in _OPTIONS), "-i", str(key), f"root@{address}", command]
