"""
The ssh host keys of servers: a file a server in the client's own state folder, learnt from its console log where it prints them.

A server is known by its id, not by its address, which is another's tomorrow. Its console log is the cloud's own word on what the
machine says of itself, so keys that are printed there (cloud-init does) are taken before the first connection, and only they are
accepted. Where none is printed, the first key that is shown is taken and kept. A key that changes is refused, with a clear word;
`kilonova ssh --new-host-key` takes the new one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kilonova.cli.choose import is_id
from kilonova.cli.client import ApiError, Client
from kilonova.cli.errors import CliError
from kilonova.cli.talk import say

_BLOCK = re.compile(r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL)
_KEY = re.compile(
    r"\b(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)) (AAAA[A-Za-z0-9+/]{16,4096}={0,2})(?![\w+/=])"
)
_PRINTED = "#printed"  # a remark, to ssh
Key = tuple[str, str]  # its kind, and the key in base64


def folder(env: Mapping[str, str] = os.environ) -> Path:
    """Where the files are."""
    return Path(env.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "kilonova-client" / "known_hosts"


def printed(log: str) -> tuple[Key, ...]:
    """The keys that a console log shows, as the server's last word on them."""
    blocks = _BLOCK.findall(log)
    return tuple(dict.fromkeys((kind, key) for kind, key in _KEY.findall(blocks[-1]))) if blocks else ()


class KnownKeys(NamedTuple):
    """What is known of a server: the keys that it is accepted by, and those that its log had printed when they were taken."""

    keys: tuple[Key, ...] = ()
    printed: tuple[Key, ...] = ()


def kept_in(file: Path, ident: str) -> KnownKeys:
    """What a file says of a server."""
    try:
        lines = [line.split() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError):
        return KnownKeys()
    keys = tuple((one[1], one[2]) for one in lines if len(one) >= 3 and one[0] == ident)
    return KnownKeys(keys, tuple((one[1], one[2]) for one in lines if len(one) == 3 and one[0] == _PRINTED))


def options(client: Client, server: Mapping[str, Any], *, take_new: bool = False) -> tuple[str, ...]:
    """
    What ssh is to be told so that it accepts this server alone; what its log prints is kept. `take_new`: forget what was known.

    Raises CliError when the log prints other keys than those that are known.
    """
    ident = str(server["id"])
    if not is_id(ident):
        raise CliError(f"The cloud gives server {server['name']} an id that is none: {ident}")
    file, said = folder() / ident, printed(_console(client, ident))
    before = kept_in(file, ident)
    now = settled(before, said, take_new=take_new)
    if now is None:
        raise CliError(
            f"THE HOST KEY OF SERVER {server['name']} HAS CHANGED: its console log prints another than the one that is known.\n"
            "It was made anew inside, or this is another machine that passes for it.",
            next_step=f"if you know why: kilonova ssh --new-host-key {ident}",
        )
    if not now.keys:
        say(
            f"No host key of {server['name']} is known or on its console: the first that it shows is taken for its own."
        )
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if now != before:
            _keep(file, ident, now)
    except OSError as problem:
        say(f"Host keys cannot be kept in {file.parent}: {problem.strerror}")
        return _options(file, is_known=False, ident=ident)
    return _options(file, is_known=bool(now.keys), ident=ident)


def settled(before: KnownKeys, said: tuple[Key, ...], *, take_new: bool) -> KnownKeys | None:
    """What is known from now on, the log printing these; None when it is at odds with what was known. Pure."""
    is_news = bool(said) and not set(said) & {*before.keys, *before.printed}
    if take_new:
        # A log that prints what was known already says nothing of a key that was made since: the server's own word is taken.
        return KnownKeys(said if is_news or not before.keys else (), said)
    if not before.keys:
        return KnownKeys(() if before.printed == said else said, said)
    if is_news:
        return None
    more = tuple(one for one in said if one not in before.keys) if set(said) & set(before.keys) else ()
    return KnownKeys((*before.keys, *more), said or before.printed)


def _options(file: Path, *, ident: str, is_known: bool) -> tuple[str, ...]:
    chosen = {
        "ConnectTimeout": "10",
        "HostKeyAlias": ident,
        "UserKnownHostsFile": f'"{file}"',  # ssh would split it at blanks
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes" if is_known else "accept-new",
        "UpdateHostKeys": "no",
        "HashKnownHosts": "no",
        "LogLevel": "ERROR",
    }
    return tuple(word for name, value in chosen.items() for word in ("-o", f"{name}={value}"))


def _keep(file: Path, ident: str, now: KnownKeys) -> None:
    """Write it whole, so that nobody reads half of it."""
    lines = [f"{_PRINTED} {kind} {key}\n" for kind, key in now.printed]
    lines += [f"{ident} {kind} {key}\n" for kind, key in now.keys]
    new = file.with_name(f".{file.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
        written.writelines(lines)
    new.replace(file)


def _console(client: Client, ident: str) -> str:
    """The console log; empty where it cannot be had."""
    try:
        said = client.call("compute", "POST", f"/servers/{ident}/action", body={"os-getConsoleOutput": {}})["output"]
    except ApiError:
        return ""
    return str(said or "")
