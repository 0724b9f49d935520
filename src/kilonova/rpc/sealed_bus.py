"""
A bus on which nobody but its host reads what is secret of a guest: the control plane's end seals, the host's end opens.

Commands carry the guest's data, and wait in queues, on the broker's disk, and among dead letters. Everything else of a command is
as it was, so that it can be looked at. Inside one process there is nobody in between, and no need of this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import msgspec
import structlog

from kilonova.domain.machine import GuestData, GuestSecrets
from kilonova.rpc.bus import Bus, Handler
from kilonova.rpc.commands import EnsureServer, UpdateGuestData
from kilonova.rpc.messages import Message
from kilonova.rpc.sealing import HostKey, Unopenable, seal

_TOPIC = "agent."
_secrets = msgspec.json.Decoder(GuestSecrets)
_log = structlog.get_logger(__name__)

KeyOf = Callable[[str], str | None]
"""A host's public key, None where its agent has none; raises what it raises when that cannot be known now."""


class _Passing:
    """Passes everything on to another bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        return self._bus.serve(topic, handler, workers=workers)

    def cast(self, topic: str, message: Message) -> None:
        self._bus.cast(topic, message)

    def call(self, topic: str, message: Message, *, timeout_s: float = 10.0) -> Message:
        return self._bus.call(topic, message, timeout_s=timeout_s)

    def fanout(self, topic: str, message: Message) -> None:
        self._bus.fanout(topic, message)

    def follow(self, topic: str, subjects: Collection[str]) -> None:
        self._bus.follow(topic, subjects)

    def close(self) -> None:
        self._bus.close()


class SealingBus(_Passing):
    """
    The control plane's end.

    A host whose agent is of an earlier release has told no key: what it is sent stays as it is, with a word in the log.
    """

    def __init__(self, bus: Bus, key_of: KeyOf) -> None:
        super().__init__(bus)
        self._key_of = key_of
        self._without: set[str] = set()

    def cast(self, topic: str, message: Message) -> None:
        """Seal what is secret in it, if it is to a host."""
        if isinstance(message, EnsureServer | UpdateGuestData) and topic.startswith(_TOPIC):
            message = self._sealed(topic.removeprefix(_TOPIC), message)
        self._bus.cast(topic, message)

    def _sealed(self, host: str, command: EnsureServer | UpdateGuestData) -> Message:
        secrets = _guest(command).secrets()
        if secrets == GuestSecrets():
            return command
        key = self._key_of(host)
        if key is None:
            if host not in self._without:
                self._without.add(host)
                _log.warning("a host has told no key: what is secret of its guests is sent to it unsealed", host=host)
            return command
        return _with(command, GuestSecrets(), sealed=seal(key, msgspec.json.encode(secrets), _about(command)))


class OpeningBus(_Passing):
    """
    The end of a host with a key.

    A command that it cannot open was sealed to a key that it had before: it counts as lost, and its sender sends it again.
    """

    def __init__(self, bus: Bus, key: HostKey) -> None:
        super().__init__(bus)
        self._key = key

    def serve(self, topic: str, handler: Handler, *, workers: int = 1) -> Callable[[], None]:
        """Have the handler see what was sealed."""

        def opening(message: Message) -> Message | None:
            if isinstance(message, EnsureServer | UpdateGuestData) and _guest(message).sealed is not None:
                try:
                    return handler(self._opened(message))
                except Unopenable as why:
                    _log.warning("a command cannot be opened; it is lost", server=message.server_id, why=str(why))
                    return None
            return handler(message)

        return self._bus.serve(topic, opening, workers=workers)

    def _opened(self, command: EnsureServer | UpdateGuestData) -> Message:
        content = self._key.open(_guest(command).sealed or "", _about(command))
        return _with(command, _secrets.decode(content), sealed=None)


def _guest(command: EnsureServer | UpdateGuestData) -> GuestData:
    return command.guest if isinstance(command, UpdateGuestData) else command.spec.guest


def _with(command: EnsureServer | UpdateGuestData, secrets: GuestSecrets, *, sealed: str | None) -> Message:
    guest = msgspec.structs.replace(_guest(command), **msgspec.structs.asdict(secrets), sealed=sealed)
    if isinstance(command, UpdateGuestData):
        return msgspec.structs.replace(command, guest=guest)
    return msgspec.structs.replace(command, spec=msgspec.structs.replace(command.spec, guest=guest))


def _about(command: EnsureServer | UpdateGuestData) -> str:
    return f"{type(command).__name__} {command.server_id} {command.generation}"
