"""What a host was given when it joined, in the one file that its agent reads (0600): `kilonova host join` writes it."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import msgspec

from kilonova.domain.errors import Rejected

FILE = "host.json"


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """
    The host's name, where the API is, the host's secret for it, and the bus URL with the host's own user.

    `ca_file` is what the API's certificate is checked against, where the system's own authorities do not know it.
    """

    name: str
    api_url: str
    secret: str
    bus_url: str
    ca_file: str = ""

    def __repr__(self) -> str:
        return f"Membership(name={self.name!r}, api_url={self.api_url!r})"


def trusted(ca_file: str) -> ssl.SSLContext | bool:
    """What an HTTP client is to check certificates against. Raises Rejected for a file that holds none."""
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as why:  # ssl.SSLError is one
        raise Rejected(f"{ca_file} holds no certificates: {why}.", next_step="Name a PEM file.") from why


def read_membership(folder: Path) -> Membership:
    """What is in a folder's file. Raises Rejected, which says what to do."""
    path = folder / FILE
    join_again = "kilonova host join URL TOKEN   # with a token of: kilonova host token --host NAME"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Membership)
    except FileNotFoundError:
        raise Rejected(f"This host has not joined a cloud: there is no {path}.", next_step=join_again) from None
    except OSError as why:
        raise Rejected(f"{path} cannot be read: {why.strerror}.", next_step=f"Run as the owner of {path}.") from why
    except msgspec.MsgspecError:
        raise Rejected(f"{path} is not what `kilonova host join` writes.", next_step=join_again) from None


def write_membership(folder: Path, membership: Membership) -> Path:
    """Write the file, for its owner's eyes alone; a reader sees the old one or the new. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    path, part = folder / FILE, folder / f"{FILE}.part"
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(membership), indent=2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return path
