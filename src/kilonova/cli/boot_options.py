"""
The options of `kilonova boot` as data, with the checks that Nova's own command has. Pure but for the files that are named.

Whatever is refused here is refused before the cloud is asked, as wrong usage (exit code 2).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from kilonova.cli.errors import USAGE, CliError

MAX_FILES = 5
_NIC_FORM = "net-id=ID,v4-fixed-ip=ADDRESS,port-id=ID"
_NIC_KEYS = ("net-id", "net-name", "port-id", "v4-fixed-ip", "v6-fixed-ip", "tag")


@dataclass(frozen=True)
class Nic:
    """One `--nic`: a network by id or name, or a port."""

    net_id: str | None = None
    net_name: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


class WrongUsage(CliError):
    """An option that cannot be meant."""

    def __init__(self, what: str) -> None:
        super().__init__(what, next_step="kilonova boot --help", exit_code=USAGE)


def pair(option: str, text: str) -> tuple[str, str]:
    """`key=value`, parted at the first sign. Raises WrongUsage."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise WrongUsage(f"{option} {text!r} is not in the form KEY=VALUE.")
    return key, value


def pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """Several of them; a key said twice keeps its last value."""
    return dict(pair(option, text) for text in texts)


def hints(texts: Iterable[str]) -> dict[str, str | list[str]]:
    """`--hint`: a key said several times has a list of values."""
    found: dict[str, list[str]] = {}
    for text in texts:
        key, value = pair("--hint", text)
        found.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else values for key, values in found.items()}


def nic(text: str) -> Nic | str:
    """`--nic`: a wanted interface, or `auto` or `none`. Raises WrongUsage."""
    if text in ("auto", "none"):
        return text
    said: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not equals or not value or key not in _NIC_KEYS or key in said:
            raise WrongUsage(
                f"--nic {text!r} is not in the form {_NIC_FORM} (or net-name=NAME, tag=TAG): {part!r} is wrong."
            )
        said[key] = value
    if sum(key in said for key in ("net-id", "net-name", "port-id")) != 1:
        raise WrongUsage(f"--nic {text!r} must say just one of net-id, net-name and port-id.")
    return Nic(said.get("net-id"), said.get("net-name"), said.get("port-id"), _fixed_ip(text, said), said.get("tag"))


def nics(texts: Sequence[str]) -> list[Nic] | str:
    """All of them; `auto` when none is said. Raises WrongUsage."""
    found = [nic(text) for text in texts]
    words = [one for one in found if isinstance(one, str)]
    if words and len(found) > 1:
        raise WrongUsage(f"--nic {words[0]} cannot be combined with another --nic.")
    return words[0] if words else [one for one in found if isinstance(one, Nic)] or "auto"


def counts(num_instances: int | None, least: int | None, most: int | None) -> tuple[int, int]:
    """How many servers: at least and at most. Raises WrongUsage."""
    if num_instances is not None:
        if most is not None:
            raise WrongUsage("--num-instances is the old name of --max-count: say only one of them.")
        if num_instances <= 1:
            raise WrongUsage("--num-instances should be more than 1.")
        most = num_instances
    if least is not None and least < 1:
        raise WrongUsage("--min-count should be 1 or more.")
    if most is not None and most < 1:
        raise WrongUsage("--max-count should be 1 or more.")
    low = least or 1
    high = most or low
    if low > high:
        raise WrongUsage(f"--min-count ({low}) should be no more than --max-count ({high}).")
    return low, high


def files(texts: Sequence[str]) -> list[dict[str, str]]:
    """`--file DST=SRC`: paths in the guest and the contents of files here. Raises WrongUsage."""
    if len(texts) > MAX_FILES:
        raise WrongUsage(f"--file was said {len(texts)} times; a server takes {MAX_FILES} files at most.")
    found = []
    for text in texts:
        target, equals, source = text.partition("=")
        if not equals or not target or not source:
            raise WrongUsage(f"--file {text!r} is not in the form DST-PATH=SRC-PATH.")
        found.append({"path": target, "contents": encoded("--file", source)})
    return found


def encoded(option: str, source: str) -> str:
    """A file's contents in base64. Raises WrongUsage."""
    try:
        return base64.b64encode(Path(source).read_bytes()).decode()
    except OSError as refused:
        raise WrongUsage(f"{option}: {source!r} cannot be read: {refused.strerror}") from refused


def truth(text: str | None) -> bool:
    """`--config-drive`, as Nova reads its value. Raises WrongUsage."""
    word = (text or "false").lower()
    if word in ("true", "1", "yes"):
        return True
    if word in ("false", "0", "no", "none", ""):
        return False
    raise WrongUsage(f"--config-drive {text!r} is neither true nor false.")


def _fixed_ip(text: str, said: dict[str, str]) -> str | None:
    given = [(int(key[1]), said[key]) for key in ("v4-fixed-ip", "v6-fixed-ip") if key in said]
    if not given:
        return None
    if "port-id" in said or len(given) > 1:
        why = "a port has its addresses already" if "port-id" in said else "a request can ask for one address"
        raise WrongUsage(f"--nic {text!r}: {why}.")
    version, address = given[0]
    try:
        if ip_address(address).version == version:
            return address
    except ValueError:
        pass
    raise WrongUsage(f"--nic {text!r}: {address!r} is not an IPv{version} address.")
