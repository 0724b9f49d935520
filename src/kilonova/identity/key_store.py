"""
What wraps the control plane's keys, so that they do not lie plain in the database beside what they seal.

A store holds *wrapping keys*; the keys of a `KeyRing` are kept wrapped by the first of them, and opened by any. `KeyFile` is a
file that only its owner reads: whoever has the database or a copy of it alone cannot make a token. Others (a KMS) are found by
entry point (`kilonova.key_stores`): a function without parameters that gives a `KeyStore`.

Keys of a release before, or of a cloud without a store, are plain; what is plain is read as it is.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from kilonova.domain.errors import Unavailable

_WRAPPED = b"wrapped:"


class KeyStore(Protocol):
    """See the module's text."""

    def wrap(self, key: bytes) -> bytes:
        """As it is kept in the database. Raises Unavailable."""

    def unwrap(self, kept: bytes) -> bytes:
        """The key itself. Raises Unavailable when the wrapping key is not there."""

    def renew(self) -> None:
        """Wrap with a new key from now on, if that is ours to make; the former ones open until `retire`."""

    def retire(self) -> None:
        """
        Forget the wrapping keys, if they are ours, that nothing is wrapped by any more.

        The last but one stays: a backup that is being written may have records from before.
        """


def is_wrapped(kept: bytes) -> bool:
    """Whether a key lies in the database wrapped."""
    return kept.startswith(_WRAPPED)


class PlainKeys:
    """No store: keys lie in the database as they are."""

    def wrap(self, key: bytes) -> bytes:
        return key

    def unwrap(self, kept: bytes) -> bytes:
        if is_wrapped(kept):
            raise Unavailable(
                "The keys that tokens are sealed with are wrapped, and this process knows no key file.",
                next_step="Name it in [keys] file: a fleet's processes share one.",
            )
        return kept

    def renew(self) -> None:
        """There is nothing to renew."""

    def retire(self) -> None:
        """There is nothing to retire."""


class KeyFile:
    """
    A key a line (Fernet's: 32 bytes, URL-safe base64), the first of which wraps. `is_ours`: it is made and changed here.

    A fleet's file is not ours: an operator puts the same on each machine, a new key before the old.
    """

    def __init__(self, path: Path, *, is_ours: bool) -> None:
        self._path, self._is_ours = path, is_ours

    def wrap(self, key: bytes) -> bytes:
        return _WRAPPED + MultiFernet(self._keys()).encrypt(key)

    def unwrap(self, kept: bytes) -> bytes:
        if not is_wrapped(kept):
            return kept
        try:
            return MultiFernet(self._keys()).decrypt(kept.removeprefix(_WRAPPED))
        except InvalidToken:
            raise Unavailable(
                f"The keys that tokens are sealed with cannot be opened with {self._path}.",
                next_step="Put back the file that they were wrapped with: it is in the backup beside the database.",
            ) from None

    def renew(self) -> None:
        if self._is_ours:
            self._write([Fernet.generate_key(), *self._lines()])

    def retire(self) -> None:
        if self._is_ours:
            self._write(self._lines()[:2])

    def _keys(self) -> list[Fernet]:
        try:
            return [Fernet(line) for line in self._lines()]
        except ValueError as broken:
            raise Unavailable(f"{self._path} holds no key: {broken}.", next_step=f"See {self._path}.") from None

    def _lines(self) -> list[bytes]:
        try:
            lines = [line.strip() for line in self._path.read_bytes().splitlines() if line.strip()]
        except FileNotFoundError:
            lines = []
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be read: {error.strerror}.") from None
        if not lines and self._is_ours:
            lines = [Fernet.generate_key()]
            self._write(lines)
        if not lines:
            raise Unavailable(
                f"There is no key in {self._path}.",
                next_step=f"kilonova keys new >{self._path}   # 0600, on each machine",
            )
        return lines

    def _write(self, lines: list[bytes]) -> None:
        """All or nothing, and for its owner alone from the first moment."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        part = self._path.with_name(f".{self._path.name}.part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"\n".join(lines) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
