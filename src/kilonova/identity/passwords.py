"""
Passwords and other secrets: argon2id, at a cost of about 20 ms and 19 MiB a look.

Hashing runs in the thread that asks, without the interpreter's lock; a semaphore keeps a burst of logins from taking the
machine's memory and cores. Who names no existing user pays the same time, so that a stranger cannot tell users by the clock.
"""

from __future__ import annotations

import os
import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MAX_LENGTH = 4096


class Passwords:
    """Hashes secrets and checks them; `time_cost`, `memory_kib` are argon2's (the default is OWASP's recommendation)."""

    def __init__(self, *, time_cost: int = 2, memory_kib: int = 19 * 1024) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._seats = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))

    def hash(self, secret: str) -> str:
        """An argon2id hash with its own salt and parameters."""
        with self._seats:
            return self._hasher.hash(secret)

    def verify(self, hashed: str | None, secret: str) -> bool:
        """Whether the secret is the hashed one. None (there is no such user, or it has no password) takes as long to refuse."""
        if hashed is None:
            self.hash(secret)
            return False
        try:
            with self._seats:
                return self._hasher.verify(hashed, secret)
        except (VerificationError, InvalidHashError):
            return False

    def is_outdated(self, hashed: str) -> bool:
        """Whether a hash was made at another cost, and should be made again now that the secret is known."""
        return self._hasher.check_needs_rehash(hashed)


def new_password() -> str:
    """A random secret for people to copy: 120 bits, hexadecimal, so that no command line takes its first letter for an option."""
    return secrets.token_hex(15)
