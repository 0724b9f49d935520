"""
Texts that one host alone can open: HPKE (RFC 9180) to a key pair of the host's.

The host makes the pair and tells its public half; so the control plane keeps nothing secret for it, and neither the broker nor
who reads its disk can open what is sealed. `about` is bound into a sealed text: it does not open as about something else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

FILE = "seal.key"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_KEY_BYTES = 32


class Unopenable(Exception):
    """What came was sealed to another key, or about something else."""


class HostKey:
    """A host's own pair."""

    def __init__(self, private: bytes) -> None:
        self._private = X25519PrivateKey.from_private_bytes(private)

    @classmethod
    def kept_in(cls, folder: Path) -> HostKey:
        """The one that is kept in a folder, for its owner's eyes alone; made there when there is none. Raises OSError."""
        path = folder / FILE
        try:
            return cls(path.read_bytes())
        except FileNotFoundError:
            private = os.urandom(_KEY_BYTES)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{FILE}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        return cls(private)

    @classmethod
    def of_simulated(cls, name: str) -> HostKey:
        """A simulated host's: no secret, as nothing of its is, and the same at each start."""
        return cls(hashlib.sha256(f"simulated {name}".encode()).digest())

    @property
    def public(self) -> str:
        """What others seal with."""
        return base64.b64encode(self._private.public_key().public_bytes_raw()).decode()

    def open(self, sealed: str, about: str) -> bytes:
        """What was sealed to this host about this. Raises Unopenable."""
        try:
            return bytes(_SUITE.decrypt(base64.b64decode(sealed, validate=True), self._private, info=about.encode()))
        except (InvalidTag, ValueError, binascii.Error) as why:
            raise Unopenable("it was sealed to another key than this host's, or about something else") from why


def seal(public: str, content: bytes, about: str) -> str:
    """A text that only the host with this key opens. Raises ValueError for what is no key."""
    key = X25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))
    return base64.b64encode(_SUITE.encrypt(content, key, info=about.encode())).decode()


def is_key(public: str) -> bool:
    """Whether this can be sealed with."""
    try:
        seal(public, b"", "")
    except ValueError:  # binascii.Error is one
        return False
    return True
