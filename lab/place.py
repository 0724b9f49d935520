"""
A machine within the machine: where a real cloud can be brought up beside anybody else's.

Network, processes, mounts and host name are the lab's own (namespaces), and so are libvirt's folders and /run, which are in
memory; nothing is mounted where the tree that is tested may be. libvirtd is started in it by the cloud itself. When the
lab ends, the kernel ends every process in it and drops all that they made; so nothing is left, whatever a test broke.
A lab may be in another one, and ends with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

PATIENCE_S = 60
_CLONE_NEWNET = 0x40000000

# The first process of the lab: sets it up, says so, and buries whoever dies in it (SIGCHLD ignored: no zombies).
_INIT = """
import shutil, signal, subprocess, sys
signal.signal(signal.SIGCHLD, signal.SIG_DFL)
def run(*command): subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
shutil.copytree("/etc/libvirt", "/run/etc", ignore=shutil.ignore_patterns("qemu", "nwfilter", "secrets"))
for folder in ("/var/lib/libvirt", "/var/log/libvirt", "/etc/libvirt"):
    run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
shutil.copytree("/run/etc", "/etc/libvirt", dirs_exist_ok=True)
shutil.rmtree("/run/etc")
run("umount", "--recursive", "--lazy", "/sys")  # with its control groups, which are the machine's: libvirt does without
run("mount", "-t", "sysfs", "sysfs", "/sys")
run("mkdir", "-m", "755", "/run/cloud")
run("hostname", sys.argv[1])
run("ip", "link", "set", "lo", "up")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
while True:
    signal.pause()
"""
_UNSHARE = ("unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "--kill-child")


class Place:
    """Where a cloud runs, as seen from outside."""

    def command(self, *words: str) -> list[str]:
        """The command that runs `words` there."""
        return list(words)

    def path(self, path: Path) -> Path:
        """A path there, as this process can open it."""
        return path

    def run(self, *words: str, check: bool = True) -> str:
        """What a command there prints."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.stderr or done.stdout}"
        return done.stdout


class ThisMachine(Place):
    """Good enough for simulated clouds."""


class Inside(Place):
    """A lab that is up, known by the pid of its first process, as this process sees it; `child`, when it is ours."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid, self.child = pid, child

    def command(self, *words: str) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-m", "-n", "-u", "-i", "-p", "--", *words]

    def path(self, path: Path) -> Path:
        return Path(f"/proc/{self.pid}/root") / path.relative_to("/")

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be in the lab's network with this thread: sockets made meanwhile, and commands started, are in it."""
        libc = ctypes.CDLL(None, use_errno=True)
        own = f"/proc/self/task/{threading.get_native_id()}/ns/net"
        with open(own, "rb") as here, open(f"/proc/{self.pid}/ns/net", "rb") as there:  # noqa: PTH123 - kept open for its descriptor
            assert libc.setns(there.fileno(), _CLONE_NEWNET) == 0, "entering the lab's network failed"
            try:
                yield
            finally:
                assert libc.setns(here.fileno(), _CLONE_NEWNET) == 0


class Lab(Inside, AbstractContextManager["Lab"]):
    """Needs root. Leaving the block ends everything in it; so does the end of the thread that made it."""

    def __init__(self) -> None:
        super().__init__(0)

    def __enter__(self) -> Self:
        self.child = _begin(ThisMachine(), "lab", ("setpriv", "--pdeathsig", "KILL"))
        self.pid = _first_process(self.child.pid)
        return self

    def __exit__(self, *problem: object) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()


def lasting(name: str, within: Place | None = None) -> Inside:
    """A lab that stays when this process ends, until its first process is killed or the lab that it is in is. Needs root."""
    child = _begin(within or ThisMachine(), name, ("setsid",))
    return Inside(_first_process(child.pid), child)


def _begin(within: Place, name: str, wrapper: tuple[str, ...]) -> subprocess.Popen[bytes]:
    command = within.command(*wrapper, *_UNSHARE, sys.executable, "-c", _INIT, name)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )  # one that lasts holds nothing of its maker
    assert process.stdout
    said = process.stdout.readline()
    process.stdout.close()
    assert said == b"ready\n", f"the lab could not be set up: {said.decode()}"
    return process


def _first_process(pid: int) -> int:
    """The innermost of a chain of processes that each wait for one child."""
    while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pid = int(children[0])
    return pid
