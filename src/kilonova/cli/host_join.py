"""`kilonova host join`: run on the host that is to join, once; what it is given stays in one file for its agent."""

from __future__ import annotations

import functools
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click

from kilonova.cli.errors import FAILED, TIMED_OUT, USAGE, CliError
from kilonova.cli.talk import put, say

if TYPE_CHECKING:
    from kilonova.rpc.tls import TlsFiles

_FROM_STDIN = "-"
_LOCAL = {"localhost", "127.0.0.1", "::1"}
_CERTIFICATES = {
    "cacert": "PEM file to check certificates against, now and later: that of an https:// URL, and RabbitMQ's; default: the"
    " system's authorities.",
    "bus-cacert": "The same for RabbitMQ (amqps://) alone, where its authority is another.",
    "bus-cert": "A certificate of this host's own, where RabbitMQ asks for one.",
    "bus-key": "Its private key, not encrypted; default: it is in --bus-cert's file.",
}

Command = Callable[..., Any]


def _certificate_options(command: Command) -> Command:
    """Options that name files, given to the command as one argument: the paths by option, "" where none was said."""

    @functools.wraps(command)
    def collected(**said: Any) -> Any:
        certificates = {option: said.pop(option.replace("-", "_")) or "" for option in _CERTIFICATES}
        return command(**said, certificates=certificates)

    path = click.Path(exists=True, dir_okay=False, resolve_path=True)
    for option, text in reversed(_CERTIFICATES.items()):
        collected = click.option(f"--{option}", metavar="FILE", type=path, help=text)(collected)
    return collected


@click.command()
@click.argument("url")
@click.argument("token")
@click.option("--name", metavar="NAME", help="What the host is to be called; default: this machine's host name.")
@click.option(
    "--config-dir",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to keep what it is given; default: /etc/kilonova as root, ~/.config/kilonova as others.",
)
@_certificate_options
def join(url: str, token: str, name: str | None, config_dir: Path | None, certificates: dict[str, str]) -> None:
    """
    Join the cloud at URL as a host, with a TOKEN that an administrator made (kilonova host token).

    A TOKEN of - is read from standard input, so that no list of processes shows it.
    """
    from kilonova.agent.credential import Membership, write_membership  # noqa: PLC0415 - msgspec, for this alone

    root, folder = _root_of(url), config_dir or default_config_dir()
    _check_writable(folder)
    ca_file, bus_files = certificates["cacert"], _bus_files(certificates)
    text = sys.stdin.readline() if token == _FROM_STDIN else token
    told = _ask(root, {"token": text.strip(), "name": name or socket.gethostname()}, ca_file)
    bus_url = bus_files.put_into(told["bus_url"])
    membership = Membership(name=told["name"], api_url=root, secret=told["secret"], bus_url=bus_url, ca_file=ca_file)
    try:
        path = write_membership(folder, membership)
    except OSError as why:
        raise CliError(
            f"The host has joined, but {folder} cannot be written to: {why.strerror}.",
            next_step=f"kilonova host token --host {told['name']}   # then join again with it",
        ) from why
    if root.startswith("http:") and urlsplit(root).hostname not in _LOCAL:
        say("The credential came over plain HTTP: whoever listens on the way has it, too. Use an https:// URL.")
    say(f"{told['name']} has joined. Its credential is in {path}. Next: kilonova agent")
    put(told["name"])


def default_config_dir() -> Path:
    """Where a host keeps its membership unless told otherwise."""
    if os.geteuid() == 0:
        return Path("/etc/kilonova")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "kilonova"


def _root_of(url: str) -> str:
    """Scheme, host and port: whatever of the cloud's URLs somebody had at hand will do."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CliError(
            f"{url!r} is not the URL of a cloud.",
            next_step="kilonova host join http://CLOUD:PORT TOKEN",
            exit_code=USAGE,
        )
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _check_writable(folder: Path) -> None:
    """Before the token is used up."""
    near = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not near.is_dir() or not os.access(near, os.W_OK | os.X_OK):
        raise CliError(
            f"Nothing was done: what the host is given could not be kept in {folder}, as {near} cannot be written to.",
            next_step="run it as root, or with --config-dir DIR",
        )


def _bus_files(certificates: dict[str, str]) -> TlsFiles:
    """What RabbitMQ is spoken to with; all files are tried out before the token is used up."""
    from kilonova.agent.credential import trusted  # noqa: PLC0415 - slow to import
    from kilonova.domain.errors import Rejected  # noqa: PLC0415 - as above
    from kilonova.rpc.tls import TlsFiles  # noqa: PLC0415 - as above

    files = TlsFiles(
        ca_file=certificates["bus-cacert"] or certificates["cacert"],
        cert_file=certificates["bus-cert"],
        key_file=certificates["bus-key"],
    )
    try:
        trusted(certificates["cacert"])
        files.context()
    except Rejected as why:
        raise CliError(why.message, next_step=why.next_step, exit_code=USAGE) from why
    return files


def _ask(root: str, wanted: dict[str, str], ca_file: str) -> dict[str, Any]:
    import httpx2  # noqa: PLC0415 - slow to import

    from kilonova.agent.credential import trusted  # noqa: PLC0415 - as above

    try:
        with httpx2.Client(verify=trusted(ca_file), timeout=60.0, trust_env=False) as client:
            answer = client.post(f"{root}/kilonova/v1/hosts/join", json={"host": wanted})
        body = answer.json()
    except httpx2.TimeoutException as late:
        raise CliError(
            f"{root} did not answer in time. The token may be used up by now.",
            next_step=f"kilonova host token --host {wanted['name']}   # then join again with it",
            exit_code=TIMED_OUT,
        ) from late
    except (httpx2.HTTPError, ValueError) as why:
        raise CliError(f"No cloud answers at {root}: {why}", next_step="check the URL; kilonova status") from why
    if answer.status_code == 201:
        told: dict[str, Any] = body["host"]
        return told
    inner = next((one for one in body.values() if isinstance(one, dict)), {}) if isinstance(body, dict) else {}
    message = str(inner.get("message") or f"{answer.status_code} {answer.reason_phrase}")
    raise CliError(f"{root} refused: {message}", next_step=_next_step(answer.status_code), exit_code=FAILED)


def _next_step(status: int) -> str:
    match status:
        case 404:
            return "check the URL: no cloud there knows of hosts that join"
        case 429 | 503:
            return "try again in a minute; the token is still good"
        case _:
            return ""
