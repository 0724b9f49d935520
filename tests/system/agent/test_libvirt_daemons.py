"""
libvirt's daemons: started where none answers, stopped only when ours, and lost without harm to machines.

Each test has a libvirt of its own, in a mount namespace whose libvirt folders are empty: the machine's own is not touched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

_PRIVATE = ("/run/libvirt", "/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
_HIDE = " && ".join(f"mkdir -p {path} && mount -t tmpfs tmpfs {path}" for path in _PRIVATE)
_DOMAIN = """
<domain type="qemu"><name>{name}</name><memory unit="MiB">64</memory><os><type machine="pc">hvm</type></os>
<metadata><kilonova:server xmlns:kilonova="urn:kilonova:server:1" owner="{owner}"/></metadata></domain>
"""

_LOSE_LIBVIRTD = """
        import os, signal, time
        from pathlib import Path
        from kilonova.agent.hypervisor.libvirt.domains import Domains, power_state
        from kilonova.agent.hypervisor.libvirt.libvirtd import Daemons
        from kilonova.domain.clock import SystemClock

        folder = Path(os.environ["FOLDER"])
        pid_file = folder / "libvirtd.pid"

        def wait(level, what):
            end = time.monotonic() + 30
            while not level():
                if time.monotonic() > end:
                    raise SystemExit(f"{what} did not come about")
                time.sleep(0.05)

        def settle():
            seen = -1
            while seen != len(told):  # a machine that starts is told of twice: started, and let go on
                seen = len(told)
                time.sleep(1)

        daemons = Daemons(folder, "qemu:///system", may_start=True)
        domains = Domains(daemons, str(folder), SystemClock())
        told = []
        domains.watch(lambda server: told.append((server, domains.find(server) and power_state(domains.find(server)).name)))
        domain = domains.connection().createXML(os.environ["DOMAIN"].format(name="kntest-daemons", owner=folder))
        server = domain.UUIDString()
        qemu = int(Path("/run/libvirt/qemu/kntest-daemons.pid").read_text())
        try:
            wait(lambda: (server, "RUNNING") in told, "the first event")
            settle()
            told.clear()
            first = int(pid_file.read_text())
            os.kill(first, signal.SIGKILL)
            wait(lambda: (server, "RUNNING") in told, "a look at every machine after the connection came back")
            print("another libvirtd", int(pid_file.read_text()) != first)
            print("the machine runs", list(domains.all()) == [server], Path(f"/proc/{qemu}").exists())
            told.clear()
            domains.find(server).suspend()
            wait(lambda: (server, "PAUSED") in told, "an event over the new connection")
            print("events come")
        finally:
            domains.find(server).destroy()
            domains.close()
            daemons.stop()
        """


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="kilonova-test-", dir="/var/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def run_apart(program: str, folder: Path) -> list[str]:
    """Run Python in a mount namespace without any libvirt; the lines it prints."""
    script = f'{_HIDE} && exec {sys.executable} -c "$PROGRAM"'
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        env={**os.environ, "PROGRAM": textwrap.dedent(program), "FOLDER": str(folder), "DOMAIN": _DOMAIN},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_daemons_are_started_where_none_answers_and_stopped_again(folder: Path) -> None:
    lines = run_apart(
        """
        import os
        from pathlib import Path
        from kilonova.agent.hypervisor.libvirt.libvirtd import Daemons

        folder = Path(os.environ["FOLDER"]) / "daemons"
        daemons = Daemons(folder, "qemu:///system", may_start=True)
        print("uri", daemons.connect().getURI())
        pids = {path.stem: int(path.read_text()) for path in folder.iterdir()}
        print("started", *sorted(pids))
        Daemons(folder, "qemu:///system", may_start=True).connect()
        print("same", pids == {path.stem: int(path.read_text()) for path in folder.iterdir()})
        daemons.stop()
        daemons.stop()
        state = lambda pid: Path(f"/proc/{pid}/stat").read_text().split()[2] if Path(f"/proc/{pid}").exists() else "Z"
        print("left", *(name for name, pid in pids.items() if state(pid) != "Z"), *folder.iterdir())
        """,
        folder,
    )
    assert [line for line in lines if line.split()[0] in {"uri", "started", "same", "left"}] == [
        "uri qemu:///system",
        "started libvirtd virtlogd",
        "same True",
        "left",
    ]


def test_where_nothing_may_be_started_it_is_said_what_to_do(folder: Path) -> None:
    lines = run_apart(
        """
        import os
        from pathlib import Path
        from kilonova.agent.hypervisor.libvirt.libvirtd import Daemons
        from kilonova.domain.errors import Unavailable

        try:
            Daemons(Path(os.environ["FOLDER"]), "qemu:///system", may_start=False).connect()
        except Unavailable as error:
            print(error.next_step)
        """,
        folder,
    )
    assert lines[-1].startswith("Start libvirtd, or install it")


def test_a_libvirtd_that_dies_takes_no_machine_and_events_come_again(folder: Path) -> None:
    lines = run_apart(_LOSE_LIBVIRTD, folder)
    assert [line for line in lines if not line.startswith("20")] == [
        "another libvirtd True",
        "the machine runs True True",
        "events come",
    ]
