"""
Runs one dnsmasq per network, and finds again those that an earlier agent started.

dnsmasq puts itself in the background, so it outlives the agent and guests keep their leases and names while there is none.
Which process is a network's is told by its pid file *and* its command line: a pid alone may be anybody's by now. Signals go
through a pidfd, so between looking and signalling it cannot become another's either.

What it reads and writes names tenants' servers and addresses: the files are its user's, in a folder of root's, so that others
read none of them and dnsmasq can put nothing else in their place.

A lease that dnsmasq remembers of a port that is gone would keep the address from the next port that gets it. An address that
is new to the hosts file and has a lease is that case; the lease is then taken out while dnsmasq is down for a moment.
"""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import stat
import subprocess
from pathlib import Path

from kilonova.agent.network.conflicts import refused
from kilonova.agent.network.dnsmasq import DhcpPlan, Folder, addresses_in
from kilonova.private import UNCHANGED

_START_LIMIT_S = 20
_STOP_LIMIT_S = 5
_MODE = 0o600


def unprivileged_user() -> str:
    """The user that dnsmasq becomes: its own where Debian's package made one."""
    for name in ("dnsmasq", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise refused(
        "This host has neither a user dnsmasq nor nobody to run DHCP as. Create one: `useradd --system dnsmasq`."
    )


class DhcpServers:
    """The dnsmasqs of one host."""

    def __init__(self) -> None:
        self._has_read: set[Path] = set()  # those which have read their files since this process began

    def ensure(self, folder: Folder, plan: DhcpPlan) -> None:
        """
        Have one run as planned, in the network namespace that this thread is in.

        Raises HostFailure with dnsmasq's words when it does not start.
        """
        new_lines = set(plan.hosts.splitlines()) - set(_text(folder.hosts).splitlines())
        stale = _leased(folder) & {address for line in new_lines for address in addresses_in(line)}
        restart = _write(folder.config, plan.config) or bool(stale)
        files = ((folder.hosts, plan.hosts), (folder.names, plan.names), (folder.options, plan.options))
        reread = [folder.path not in self._has_read, *(_write(path, content) for path, content in files)]
        _hand_over(folder)
        pid = dhcp_pid(folder)
        if pid is not None and (restart or not _is_here(pid)):
            stop_dhcp(folder)
            pid = None
        if pid is None:
            _drop_leases(folder, stale)
            _start(folder)
            folder.pid.chmod(_MODE)
        elif any(reread):
            _signal(pid, folder, signal.SIGHUP)
        self._has_read.add(folder.path)

    def remove(self, folder: Folder) -> None:
        """Have neither the process nor its files."""
        self._has_read.discard(folder.path)
        stop_dhcp(folder)
        shutil.rmtree(folder.path, ignore_errors=True)


def stop_dhcp(folder: Folder) -> None:
    """End the network's dnsmasq if one runs."""
    pid = dhcp_pid(folder)
    if pid is not None and not _signal(pid, folder, signal.SIGTERM, wait_s=_STOP_LIMIT_S):
        _signal(pid, folder, signal.SIGKILL, wait_s=_STOP_LIMIT_S)


def dhcp_pid(folder: Folder) -> int | None:
    """The process id of the network's dnsmasq, if it runs."""
    noted = _text(folder.pid).strip()
    if noted.isdigit() and _is_ours(int(noted), folder):
        return int(noted)
    # Between a kill -9 and here its pid file may have been lost, never its command line.
    running = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return next((pid for pid in running if _is_ours(pid, folder)), None)


def _start(folder: Folder) -> None:
    command = ["dnsmasq", f"--conf-file={folder.config}"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_START_LIMIT_S, start_new_session=True, check=False
    )
    if done.returncode != 0:
        folder.config.unlink(missing_ok=True)
        raise refused(
            f"dnsmasq does not start on this host: {done.stderr.strip()}. Free the address, or use another network."
        )


def _is_ours(pid: int, folder: Folder) -> bool:
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return arguments[0].endswith(b"dnsmasq") and f"--conf-file={folder.config}".encode() in arguments


def _is_here(pid: int) -> bool:
    """Whether it serves where it should: one that an earlier layout of the host left elsewhere reaches no guest."""
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino == Path("/proc/thread-self/ns/net").stat().st_ino
    except OSError:
        return False


def _signal(pid: int, folder: Folder, number: signal.Signals, wait_s: float = 0) -> bool:
    """Signal the process if it is still ours; with `wait_s`, whether it ended in that time."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        if not _is_ours(pid, folder):
            return True
        signal.pidfd_send_signal(handle, number)
        poll = select.poll()  # not select.select, which knows no descriptor beyond 1023
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(wait_s * 1000))
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)


def _hand_over(folder: Folder) -> None:
    """Have its files be its user's, and nobody else's. It would make its leases for everybody to read."""
    user = pwd.getpwnam(unprivileged_user()).pw_uid
    folder.leases.touch(mode=_MODE)
    for path in (folder.hosts, folder.names, folder.options, folder.leases):
        now = path.stat()
        if (now.st_uid, stat.S_IMODE(now.st_mode)) != (user, _MODE):
            os.chown(path, user, UNCHANGED)
            path.chmod(_MODE)


def _leased(folder: Folder) -> set[str]:
    return {fields[2] for fields in map(str.split, _text(folder.leases).splitlines()) if len(fields) > 2}


def _drop_leases(folder: Folder, addresses: set[str]) -> None:
    lines = _text(folder.leases).splitlines(keepends=True)
    kept = [line for line in lines if not set(line.split()[2:3]) & addresses]
    if kept != lines:
        folder.leases.write_text("".join(kept))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def _write(path: Path, content: str) -> bool:
    """Whether this changed the file. It is replaced whole: dnsmasq may read it at any moment."""
    if path.exists() and _text(path) == content:
        return False
    part = path.with_name(f"{path.name}.part")
    part.write_text(content)
    part.chmod(_MODE)
    part.replace(path)
    return True
