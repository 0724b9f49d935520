"""
A real systemd in a container: what a packaged machine is to Kilonova's units, without installing one.

The tree has a few files of its own; /usr (systemd, libvirt, QEMU), Python and the packages are this machine's, read-only.
Kilonova is in it as `/opt/kilonova`, and that is the one word by which the units in it differ from the shipped ones. It is in a
network namespace that the test makes, and in control groups of its own, which go with it: systemd-nspawn leaves its two behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from tests.facts import REPOSITORY
from tests.system.netlab import Space, run
from tests.waiting import wait_until

BOOT_S, HALT_S, COMMAND_S = 60.0, 60.0, 120.0
UNITS = sorted((REPOSITORY / "packaging" / "systemd").glob("*.service"))
ACCOUNT_ID = 880
_FOLDERS = (
    "usr", "etc/systemd/system", "etc/kilonova", "var/lib", "var/log", "var/tmp", "var/cache", "var/spool", "run", "tmp",
    "proc", "sys", "dev", "root", "home", "opt/python", "opt/site", "opt/src", "opt/engines",
)  # fmt: skip
_FROM_ETC = (
    "passwd", "group", "nsswitch.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "libvirt", "alternatives", "default",
    "os-release", "ssl", "dbus-1",
)  # fmt: skip
_HIERARCHIES = ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")
_COMMAND = """\
#!/bin/sh
export PYTHONPATH=/opt/src:/opt/site PYTHONDONTWRITEBYTECODE=1 LD_LIBRARY_PATH=/opt/python/lib
exec {python} -P -m kilonova.cli.main "$@"
"""
# Its arguments: control groups to make and to be in, `--`, and what to run there.
_JOIN = """
while [ "$1" != -- ]; do mkdir "$1" && echo $$ >"$1/cgroup.procs"; shift; done
shift
exec "$@"
"""


class Machine(AbstractContextManager["Machine"]):
    """Boots as the block is entered; needs root. `engines` is seen in it as /opt/engines, `network` is a namespace's name."""

    def __init__(self, folder: Path, network: str, engines: Path) -> None:
        self.root = folder / "tree"
        self._log, self._network, self._engines = folder / "console.log", network, engines
        self._name = f"kilonova-test-{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._make_tree()

    def _make_tree(self) -> None:
        for name in _FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.root / name).symlink_to(f"usr/{name}")
        etc = self.root / "etc"
        for name in _FROM_ETC:
            source = Path("/etc") / name
            if source.is_dir():
                shutil.copytree(source, etc / name, symlinks=True, ignore=shutil.ignore_patterns("networks", "*.xml"))
            elif source.exists():
                shutil.copy(source, etc / name)
        (etc / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")  # it is no first boot: nothing is preset
        (etc / "hostname").write_text("packaged\n")
        accounts = {
            "passwd": f"kilonova:x:{ACCOUNT_ID}:{ACCOUNT_ID}::/:/usr/sbin/nologin",
            "group": f"kilonova:x:{ACCOUNT_ID}:",
        }
        for file, line in accounts.items():
            (etc / file).write_text(f"{(etc / file).read_text()}{line}\n")
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        python = f"/usr/bin/{version}" if sys.base_prefix == "/usr" else f"/opt/python/bin/{version}"
        command = self.root / "opt" / "kilonova"
        command.write_text(_COMMAND.format(python=python))
        command.chmod(0o755)
        for unit in UNITS:
            text = unit.read_text().replace("/usr/bin/kilonova", "/opt/kilonova")
            (etc / "systemd" / "system" / unit.name).write_text(text)

    def __enter__(self) -> Self:
        binds = {"/usr": "/usr", sysconfig.get_path("purelib"): "/opt/site", str(REPOSITORY / "src"): "/opt/src"}
        if sys.base_prefix != "/usr":
            binds[sys.base_prefix] = "/opt/python"
        command = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", f"--directory={self.root}"]
        command += [
            f"--network-namespace-path=/run/netns/{self._network}",
            "--kill-signal=SIGRTMIN+3",
            "--console=pipe",
        ]
        command += [f"--bind-ro={source}:{target}" for source, target in binds.items()]
        command += [f"--bind={self._engines}:/opt/engines"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _JOIN, "sh", *map(str, self._groups()), "--", *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        try:
            wait_until(self._is_up, "systemd is up", BOOT_S)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"systemd-nspawn ended:\n{self._log.read_text()}"
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        if not children:
            return False
        self._leader = int(children[0])
        return self.run("systemctl", "is-system-running", check=False).strip() in {"running", "degraded"}

    def run(self, *words: str, check: bool = True) -> str:
        """What a command in it prints."""
        command = ["nsenter", "--target", str(self._leader), "--all", "--", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, check=False)
        assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit."""
        lines = self.run("systemctl", "show", unit, *(f"--property={name}" for name in properties)).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def journal(self, unit: str) -> str:
        """What a unit said, and what was said of it."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}", check=False)

    def __exit__(self, *problem: object) -> None:
        """Shut it down as an operator would, and see that nothing is left of it."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(HALT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(HALT_S)
        for group in self._groups():
            for path in sorted((one for one in group.rglob("*") if one.is_dir()), key=lambda one: -len(one.parts)):
                path.rmdir()
            if group.is_dir():
                group.rmdir()

    def left(self) -> list[str]:
        """What is left of it on this machine; it should be nothing."""
        mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if str(self.root) in line]
        processes = (
            [] if self._leader == 0 or not Path(f"/proc/{self._leader}").exists() else [f"process {self._leader}"]
        )
        return [*mounts, *processes, *(str(group) for group in self._groups() if group.exists())]

    def _groups(self) -> list[Path]:
        """Its control groups: one in each hierarchy that systemd uses."""
        found = [Path(where) for where in _HIERARCHIES if (Path(where) / "cgroup.procs").exists()]
        return [where / self._name for where in found]


@contextlib.contextmanager
def loopback_only(name: str) -> Iterator[Space]:
    """A network namespace that nothing leads out of."""
    run("ip", "netns", "add", name)
    try:
        run("ip", "-n", name, "link", "set", "lo", "up")
        yield Space(name)
    finally:
        run("ip", "netns", "delete", name)
