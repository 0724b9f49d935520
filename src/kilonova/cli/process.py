"""
The process of a cloud, found again by a later command.

Its pid file names a process and says when that one began, so that a number the kernel has given to somebody else since is never
taken for it. The process itself holds a lock on the file for as long as it lives: two clouds can never share a data directory.
A signal goes through a handle on the process (pidfd), checked after it was opened: it cannot come to mean another.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
from pathlib import Path

from kilonova.cli.errors import CliError
from kilonova.cli.places import command_for

_TRACEBACK = (" ", "Traceback ", "The above exception was", "During handling of")
_UNITS_BEFORE_START = 19  # of /proc/PID/stat, counted after the command's closing bracket


def claim(data_dir: Path) -> int:
    """
    Make this process the one of `data_dir`; gives the descriptor that holds the lock, to be kept open until the end.

    Raises CliError when another has it.
    """
    descriptor = os.open(_pid_file(data_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise CliError(
            f"Another process runs the cloud in {data_dir}.", next_step=command_for(data_dir, "kilonova status")
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()} {_identity(os.getpid())}\n".encode())
    return descriptor


def release(descriptor: int) -> None:
    """Be no longer the process of a data directory, though this one goes on."""
    os.ftruncate(descriptor, 0)
    os.close(descriptor)


def forget(data_dir: Path) -> None:
    """Leave no trace of a process in a data directory that is to go."""
    _pid_file(data_dir).unlink(missing_ok=True)


def running(data_dir: Path) -> int | None:
    """The pid of the cloud in `data_dir`; None when it is not up."""
    try:
        pid_text, _, identity = _pid_file(data_dir).read_text().strip().partition(" ")
        pid = int(pid_text)
    except (FileNotFoundError, ValueError):
        return None
    return pid if identity and _identity(pid) == identity else None


def start(data_dir: Path) -> int:
    """Start `kilonova serve` in a session of its own, to outlive us; what it says goes to the log. Gives its pid."""
    log = log_file(data_dir)
    command = [sys.executable, "-m", "kilonova.cli.main", "serve", "--data-dir", str(data_dir), "--log-file", str(log)]
    env = os.environ | {"KILONOVA_DEBUG": "1"}  # a log is the place for tracebacks
    said = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    # Not subprocess: its object would hold that the child is ours to wait for.
    return os.posix_spawn(
        sys.executable, command, env, file_actions=[nothing, said, (os.POSIX_SPAWN_DUP2, 1, 2)], setsid=True
    )


def has_ended(child: int) -> bool:
    """Whether a process that `start` gave is over; asked until it is, and no more after that."""
    return os.waitpid(child, os.WNOHANG)[0] != 0


def stop(data_dir: Path, patience_s: float) -> bool:
    """
    Have the cloud end, then make it (each within `patience_s`); False when it was not up.

    Raises CliError when it does not end, or belongs to somebody else.
    """
    pid = running(data_dir)
    if pid is None:
        return False
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        for how in (signal.SIGTERM, signal.SIGKILL):
            if running(data_dir) != pid:
                return True
            signal.pidfd_send_signal(handle, how)
            if ended(handle, patience_s):
                return True
    except ProcessLookupError:
        return True
    except PermissionError:
        raise CliError(
            f"Process {pid}, the cloud in {data_dir}, is another user's.",
            next_step="sudo " + command_for(data_dir, "kilonova down"),
        ) from None
    finally:
        os.close(handle)
    raise CliError(f"Process {pid}, the cloud in {data_dir}, does not end, not even killed.", next_step=f"ps -fp {pid}")


def ended(handle: int, seconds: float) -> bool:
    """Whether the process behind a pidfd ends within the time."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def log_file(data_dir: Path) -> Path:
    """Where the cloud's process says what it does."""
    return data_dir / "kilonova.log"


def log_tail(data_dir: Path, lines: int = 12) -> str:
    """The end of that, for a person: of a traceback what was raised, not where."""
    try:
        with log_file(data_dir).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 16384))
            said = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    return "\n".join([line for line in said if line.strip() and not line.startswith(_TRACEBACK)][-lines:])


def _pid_file(data_dir: Path) -> Path:
    return data_dir / "kilonova.pid"


def _identity(pid: int) -> str:
    """When a process began, in a form that no other process of this pid shares; empty if there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in ("Z", "X") else f"{fields[_UNITS_BEFORE_START]} {boot}"
