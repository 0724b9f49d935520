"""The listening socket of a network: bound to its bridge, so that nothing arrives from elsewhere."""

from __future__ import annotations

import socket
from contextlib import suppress

PREFERRED_PORT = 18775
_BACKLOG = 256


class Listener:
    """Made in the namespace that the calling thread is in; it stays there. Raises OSError."""

    def __init__(self, network_id: str, bridge: str) -> None:
        self.network_id = network_id
        self._bridge = (bridge, socket.if_nametoindex(bridge))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._listen()
        except OSError:
            self.socket.close()
            raise
        self.descriptor = self.socket.fileno()
        self.port: int = self.socket.getsockname()[1]

    def is_current(self) -> bool:
        """Whether the bridge is still the device that this listens on, not a new one of its name."""
        with suppress(OSError):
            return self._bridge[1] == socket.if_nametoindex(self._bridge[0])
        return False

    def close(self) -> None:
        """Listen no longer."""
        self.socket.close()

    def _listen(self) -> None:
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, self._bridge[0].encode())
        try:
            self.socket.bind(("0.0.0.0", PREFERRED_PORT))  # noqa: S104 - of one device only, see above
        except OSError:
            # Somebody listens there on every device. The firewall redirects to whatever port it is.
            self.socket.bind(("0.0.0.0", 0))  # noqa: S104
        self.socket.listen(_BACKLOG)
