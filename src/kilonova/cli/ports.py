"""Whether a TCP port of this machine is free, and who has it when it is not."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

_LISTENING = "0A"


def why_not_free(host: str, port: int) -> str | None:
    """None when a server can listen there; else why not, in words."""
    try:
        [(family, kind, protocol, _, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as refused:
        if refused.errno == errno.EADDRINUSE:
            holder = who_listens(port)
            return f"it is in use{f' by {holder}' if holder else ''}"
        return refused.strerror or str(refused)
    return None


def who_listens(port: int) -> str | None:
    """The command and pid of who listens on a TCP port; None when that cannot be seen (another user's process)."""
    wanted = {f"socket:[{inode}]" for inode in _listeners(port)}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(_target(link) in wanted for link in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return None


def _target(link: Path) -> str:
    """Where a descriptor leads; they come and go while they are looked at."""
    try:
        return os.readlink(link)  # noqa: PTH115 - a socket is no path
    except OSError:
        return ""


def _listeners(port: int) -> list[str]:
    """Inodes of the sockets that listen on it."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = [line.split() for line in Path(table).read_text().splitlines()[1:]]
        except OSError:
            continue
        found += [row[9] for row in rows if row[3] == _LISTENING and int(row[1].rpartition(":")[2], 16) == port]
    return found
