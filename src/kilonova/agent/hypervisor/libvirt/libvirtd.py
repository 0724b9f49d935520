"""
libvirt's daemons, for machines where nothing else starts them (a container, a lab host without systemd).

Where libvirtd answers, it is used and never touched. Where nothing answers, and we are root, virtlogd and libvirtd are
started, each with its pid file in our data directory; `stop` ends those two and no others. Machines outlive both: QEMU is
a daemon by itself, and a new libvirtd finds it again. Only their console logs need virtlogd, so it is not stopped while one
of them runs.

Where nothing starts libvirtd, nothing has set up /dev/kvm either: udev would have given it to the group kvm, which QEMU's
user is in. Left to root alone it makes libvirt's own probe (as root) and its later look (as QEMU's user) disagree, and then
libvirt throws its knowledge of QEMU away and gains it anew, four seconds each time, at every start of a machine. So the device
gets the owner and mode that udev gives it.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import libvirt
import structlog

from kilonova.domain.errors import Unavailable
from kilonova.private import ensure_folder

_log = structlog.get_logger(__name__)
_START_TIMEOUT_S = 30
_KVM = Path("/dev/kvm")
_STOP_TIMEOUT_S = 10.0
_DAEMONS_UMASK = 0o022  # as an init system starts them: they see to the modes of their files themselves


class Daemons:
    """Starts what is missing, stops what was started here."""

    def __init__(self, folder: Path, uri: str, *, may_start: bool) -> None:
        self._folder = folder
        self._uri = uri
        self._may_start = may_start

    def connect(self) -> libvirt.virConnect:
        """A connection, after starting the daemons if need be. Raises Unavailable."""
        if self._startable():
            _open_kvm_to_its_group()
        try:
            return libvirt.open(self._uri)
        except libvirt.libvirtError as refused:
            if not self._startable():
                step = "Start libvirtd, or install it: apt-get install libvirt-daemon-system qemu-system-x86"
                raise Unavailable(f"libvirt does not answer at {self._uri}: {refused}", next_step=step) from refused
        self._start("virtlogd")
        self._start("libvirtd")
        try:
            return libvirt.open(self._uri)
        except libvirt.libvirtError as refused:
            raise Unavailable(f"libvirtd was started and still does not answer at {self._uri}: {refused}") from refused

    def stop(self) -> None:
        """End the daemons that were started from this data directory. The caller sees to it that no machine runs."""
        for name in ("libvirtd", "virtlogd"):
            pid = self._pid(name)
            if pid is not None:
                _end(pid)
            self._pid_file(name).unlink(missing_ok=True)

    def _startable(self) -> bool:
        local = self._uri.startswith("qemu:///system")
        return self._may_start and local and os.geteuid() == 0 and shutil.which("libvirtd") is not None

    def _start(self, name: str) -> None:
        if self._pid(name) is not None or (name == "virtlogd" and _answers(Path("/run/libvirt/virtlogd-sock"))):
            return
        ensure_folder(self._folder)
        self._pid_file(name).unlink(missing_ok=True)
        command = [name, "--daemon", "--pid-file", str(self._pid_file(name))]
        try:
            # The daemon's parent returns when its child listens. It keeps no descriptor of ours: a daemon holds what it inherits.
            subprocess.run(
                command,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_START_TIMEOUT_S,
                umask=_DAEMONS_UMASK,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired, FileNotFoundError) as failed:
            raise Unavailable(
                f"{name} could not be started: {failed}", next_step=f"Run {name} in the foreground to see why"
            ) from failed
        _log.info("daemon started", daemon=name, pid=self._pid(name))

    def _pid_file(self, name: str) -> Path:
        return self._folder / f"{name}.pid"

    def _pid(self, name: str) -> int | None:
        """The pid of the daemon we started, if it is still that daemon."""
        try:
            pid = int(self._pid_file(name).read_text())
            command = Path(f"/proc/{pid}/comm").read_text().strip()
        except (OSError, ValueError):
            return None
        return pid if command == name else None


def _open_kvm_to_its_group() -> None:
    """What udev's standard rules do; nothing when there is no such device or group."""
    with suppress(LookupError, FileNotFoundError):
        if not _KVM.stat().st_mode & 0o060:
            shutil.chown(_KVM, group="kvm")
            _KVM.chmod(0o660)


def _answers(socket_path: Path) -> bool:
    """Whether a daemon listens at a UNIX socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(socket_path))
        except OSError:
            return False
    return True


def _end(pid: int) -> None:
    """Ask a process to end, then make it. A handle on it (pidfd) cannot come to mean another."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for how, patience in ((signal.SIGTERM, _STOP_TIMEOUT_S), (signal.SIGKILL, _STOP_TIMEOUT_S)):
            signal.pidfd_send_signal(handle, how)
            if _wait(handle, patience):
                return
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _wait(handle: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
