"""`python through.py HOST PORT`: connect, and hand the connection over to whoever listens on stdout (ssh's ProxyUseFdpass)."""

from __future__ import annotations

import socket
import sys

_WITHIN_S = 10.0


def main() -> None:
    """Runs as root in a guest's network, so it imports and does nothing else."""
    try:
        connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=_WITHIN_S)
    except OSError as problem:
        sys.exit(f"{sys.argv[1]} port {sys.argv[2]} is not reached: {problem.strerror or problem}")
    connection.setblocking(True)
    with connection, socket.socket(fileno=sys.stdout.fileno()) as taker:
        socket.send_fds(taker, [b"\0"], [connection.fileno()])
        taker.detach()


if __name__ == "__main__":
    main()
