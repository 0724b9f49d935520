"""Keeps the passwords that guests gave, a file per server, and tells whoever is to know."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

OnPassword = Callable[[str, bytes], None]  # server id, the password as the guest encrypted it


class PasswordFiles:
    """Passwords in a folder that only its owner reads."""

    def __init__(self, folder: Path, on_password: OnPassword) -> None:
        self._folder = folder
        self._on_password = on_password

    def read(self, server_id: str) -> bytes:
        """The password; empty when there is none."""
        try:
            return self._file(server_id).read_bytes()
        except FileNotFoundError:
            return b""

    def write(self, server_id: str, password: bytes) -> bool:
        """Keep it and pass it on. False when there is one already."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = self._file(server_id).with_suffix(f".{os.urandom(4).hex()}")
        part.touch(mode=0o600)
        try:
            part.write_bytes(password)
            # A link, unlike a rename, fails where there is one: of two guests' writes one wins, and it is whole.
            os.link(part, self._file(server_id))
        except FileExistsError:
            return False
        finally:
            part.unlink()
        self._on_password(server_id, password)
        return True

    def forget(self, server_id: str) -> None:
        """The server is gone."""
        self._file(server_id).unlink(missing_ok=True)

    def purge(self) -> None:
        """Every server is gone."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, server_id: str) -> Path:
        return self._folder / server_id.replace("/", "_")
