"""Websockets below the front door: uvicorn's protocol, on a connection that stays in the table and under its bounds."""

from __future__ import annotations

from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class Upgraded(Protocol):
    """The connection that it was before."""

    def hasten(self) -> None:
        """The listener ends: its client need not be waited for long."""

    def ended(self) -> None:
        """The socket is gone."""


class WebSocket(WebSocketsSansIOProtocol):
    """One websocket. It pings; who does not answer in time is gone."""

    def __init__(self, owner: Upgraded, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._owner = owner

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the app, and make room."""
        super().connection_lost(exc)
        self._owner.ended()

    def shutdown(self) -> None:
        """Close with 1012: come again."""
        self._owner.hasten()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """What comes after the end is dropped."""
        if not self.transport.is_closing():
            super().data_received(data)
