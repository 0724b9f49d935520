"""Network namespaces by name: made, entered with one thread, removed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyroute2 import netns

_FOLDER = Path("/run/netns")  # iproute2's: `ip netns exec NAME` is how an operator looks into one
_LIMIT_S = 20


@contextmanager
def inside(name: str) -> Iterator[None]:
    """
    Be in the namespace with this thread: devices, sysctls, sockets made and commands started meanwhile are of it.

    A socket stays in the namespace that it was made in; a thread started in here would too, so none may be. Raises OSError.
    """
    with Path("/proc/thread-self/ns/net").open("rb") as here, (_FOLDER / name).open("rb") as there:
        netns.setns(there.fileno())
        try:
            yield
        finally:
            netns.setns(here.fileno())


def ensure_namespace(name: str) -> bool:
    """Make it exist; whether it had to be made. Raises OSError, CalledProcessError."""
    if name in _names():
        if _is_whole(name):
            return False
        remove_namespace(name)  # whoever made it was killed between the file and the mount
    _ip("add", name)
    return True


def remove_namespace(name: str) -> None:
    """Make it not exist, and with it the devices that are only there."""
    if name in _names():
        _ip("delete", name)


def identity(name: str) -> int | None:
    """A number that this very namespace has; None when there is none of the name."""
    try:
        return (_FOLDER / name).stat().st_ino
    except FileNotFoundError:
        return None


def namespaces(ending: str) -> list[str]:
    """The names that end so."""
    return sorted(name for name in _names() if name.endswith(ending))


def _is_whole(name: str) -> bool:
    try:
        with inside(name):
            return True
    except OSError:
        return False


def _names() -> set[str]:
    return {path.name for path in _FOLDER.iterdir()} if _FOLDER.is_dir() else set()


def _ip(*words: str) -> None:
    subprocess.run(["ip", "netns", *words], check=True, capture_output=True, text=True, timeout=_LIMIT_S)
