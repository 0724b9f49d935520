"""What the metadata service answers: pure, from a request and the server's guest data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote, urlsplit

from kilonova.agent.guestdata.tree import lookup, render
from kilonova.domain.machine import GuestData

_PASSWORD = re.compile(r"openstack/(latest|\d{4}-\d{2}-\d{2})/password")
PASSWORD_LIMIT = 1020  # bytes; OpenStack's own: an encrypted password never needs more


class Passwords(Protocol):
    """Where the password that a guest made for its administrator goes, encrypted for the server's key pair by the guest."""

    def read(self, server_id: str) -> bytes:
        """The password; empty when there is none."""

    def write(self, server_id: str, password: bytes) -> bool:
        """Keep it. False when there is one already: it may be set once."""


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


def read_answer(guest: GuestData, target: str, passwords: Passwords) -> Answer:
    """The answer to GET or HEAD of `target` (a path, perhaps with a query)."""
    path = _path(target)
    if _PASSWORD.fullmatch(path):
        return Answer(200, passwords.read(guest.server_id))
    body = lookup(render(guest, config_drive=False), path)
    if body is None:
        return Answer(404, b"Not found\n")
    return Answer(200, body, "application/json" if path.endswith(".json") else _type_of(path))


def write_answer(guest: GuestData, target: str, body: bytes, passwords: Passwords) -> Answer:
    """The answer to POST: a guest may give its password, once."""
    if not _PASSWORD.fullmatch(_path(target)):
        return Answer(405, b"Only openstack/latest/password can be posted to\n")
    if not body or len(body) > PASSWORD_LIMIT:
        return Answer(400, b"A password has 1 to 1020 bytes\n")
    if not passwords.write(guest.server_id, body):
        return Answer(409, b"The password is set already\n")
    return Answer(200)


def _path(target: str) -> str:
    # A request to a proxy names the whole URL; urlsplit would also take `//openstack` for the name of a host.
    path = urlsplit(target).path if target.startswith("http://") else target.partition("?")[0]
    return "/".join(part for part in unquote(path).split("/") if part)


def _type_of(path: str) -> str:
    opaque = path.endswith(("user_data", "user-data")) or "/content/" in path
    return "application/octet-stream" if opaque else "text/plain; charset=utf-8"
