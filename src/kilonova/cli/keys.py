"""The private key on this machine that belongs to a server's key pair, and the ssh line made with it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kilonova.cli.client import ApiError, Client
from kilonova.cli.errors import CliError
from kilonova.cli.facts import image_id
from kilonova.cli.places import chosen_data_dir

_LOGINS = {
    "alpine": "alpine",
    "arch": "arch",
    "centos": "centos",
    "debian": "debian",
    "fedora": "fedora",
    "ubuntu": "ubuntu",
}
# Others may set an image's properties, and ssh takes a word that begins with a dash for an option.
_LOGIN = re.compile(r"[a-zA-Z_][a-zA-Z0-9._-]{0,63}\Z")


def key_folders() -> tuple[Path, ...]:
    """Where private keys may be: the user's own, and those kept beside a cloud of this machine."""
    return Path.home() / ".ssh", chosen_data_dir() / "keys"


def private_key(client: Client, server: Mapping[str, Any]) -> Path | None:
    """The file on this machine whose public half the server was given; None leaves the choice to ssh."""
    name = server.get("key_name")
    if not name:
        return None
    try:
        public = client.get("compute", f"/os-keypairs/{quote(str(name), safe='')}")["keypair"]["public_key"]
    except ApiError:
        public = ""
    found = (find_key(str(name), public, folder) for folder in key_folders())
    return next((path for path in found if path is not None), None)


def find_key(name: str, public_key: str, folder: Path) -> Path | None:
    """By its contents, else by its name."""
    wanted = _blob(public_key)
    for path in sorted(folder.glob("*.pub")) if wanted else ():
        private = path.with_suffix("")
        if private.is_file() and _blob(_read(path)) == wanted:
            return private
    if "/" in name or not name.isprintable():
        return None
    named = (folder / name, folder / f"{name}.pem", Path(f"{name}.pem"))
    return next((path for path in named if path.is_file()), None)


def login_name(client: Client, server: Mapping[str, Any]) -> str:
    """The user that the image says to log in as, or that its distribution is known for; else root."""
    ident = image_id(server)
    try:
        image = client.get("image", f"/images/{quote(ident, safe='')}") if ident else {}
    except ApiError:
        image = {}
    named = str(image.get("os_admin_user") or "")
    return named if _LOGIN.match(named) else _LOGINS.get(str(image.get("os_distro", "")).lower(), "root")


def is_simulated(client: Client) -> bool:
    """Whether servers are simulated, as far as the caller may know: only an administrator sees what hosts are made of."""
    try:
        chosen = client.get("kilonova", "/status")["status"]["chosen"]
    except (CliError, KeyError, TypeError):
        return False
    return bool(chosen.get("hypervisor") == "sim")


def ssh_command(login: str, address: str, key: Path | None, options: Sequence[str] = ()) -> list[str]:
    """The words to run; `options` are ssh's, before the address."""
    identity = ["-i", str(key)] if key else []
    return ["ssh", *identity, *options, f"{login}@{address}"]


def ssh_line(login: str, address: str, key: Path | None, options: Sequence[str] = ()) -> str:
    """A line to paste."""
    return shlex.join(ssh_command(login, address, key, options))


def _blob(public_key: str) -> str:
    parts = public_key.split()
    return parts[1] if len(parts) > 1 else ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
