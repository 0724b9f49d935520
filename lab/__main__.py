"""`make lab`: a fleet on this machine, to try things out; `make lab-down` leaves nothing of it."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kilonova.cli.cloudsyaml import cloud_entries, merge
from lab import underlay
from lab.fleet import CONTROL_PLANE, FOLDER, URL, FleetLab
from lab.place import Inside
from tests.facts import REPOSITORY

FILES = REPOSITORY / "build" / "lab"
NOTE = FILES / "lab.json"
CLOUDS = FILES / "clouds.yaml"
IMAGE = REPOSITORY / "build" / "guest" / "kilonova-guest.qcow2"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up").add_argument("--hosts", type=int, default=3)
    commands.add_parser("down")
    run = commands.add_parser("run", help="run a command in one of its machines")
    run.add_argument("machine", help="control, host-1, host-2, ...")
    run.add_argument("words", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    if asked.command == "up":
        up(asked.hosts)
    elif asked.command == "down":
        down()
    else:
        sys.exit(subprocess.run(_machine(asked.machine).command(*asked.words), check=False).returncode)


def up(hosts: int) -> None:
    """Bring it up; with a lab that is up, say so."""
    if _pids():
        print("The lab is up: `make lab-down` ends it.")
        return
    FILES.mkdir(parents=True, exist_ok=True)
    lab = FleetLab()
    try:
        _timed("PostgreSQL, RabbitMQ and the control plane", lab.up)
        for _ in range(hosts):
            _timed(f"host-{len(lab.hosts) + 1} joins", lab.add_host)
        CLOUDS.unlink(missing_ok=True)
        merge(CLOUDS, cloud_entries(URL, lab.credentials()))
        _timed("The tiny guest's image", _upload)
    except BaseException:
        lab.down()
        raise
    pids = {"control": lab.control.pid} | {f"host-{n}": host.pid for n, host in enumerate(lab.hosts, 1)}
    NOTE.write_text(json.dumps(pids))
    _tell(hosts)


def down() -> None:
    """End it, and all that is in it."""
    cable = Path("/sys/class/net", underlay.CABLE)
    for pid in [pid for name, pid in _pids().items() if name == "control"]:
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists() or cable.exists():  # the kernel takes its network away a moment later
            time.sleep(0.05)
    shutil.rmtree(FILES, ignore_errors=True)
    print("There is no lab.")


def _pids() -> dict[str, int]:
    """The first processes of the lab's machines, by name; empty when there is no lab."""
    noted: dict[str, int] = json.loads(NOTE.read_text()) if NOTE.exists() else {}
    return {name: pid for name, pid in noted.items() if _is_machine(pid, name)}


def _is_machine(pid: int, name: str) -> bool:
    """Whether the number is still of that machine's first process, whose last word is its name."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[-2:-1] == [name.encode()]
    except FileNotFoundError:
        return False


def _machine(name: str) -> Inside:
    pids = _pids()
    if name not in pids:
        sys.exit(f"There is no machine {name}; there are: {', '.join(pids) or 'none, `make lab` brings them up'}.")
    return Inside(pids[name])


def _upload() -> None:
    words = ["image", "create", "tiny", "--disk-format", "qcow2", "--container-format", "bare", "--public"]
    client = Path(sys.executable).with_name("openstack")
    environment = {**os.environ, "OS_CLIENT_CONFIG_FILE": str(CLOUDS), "OS_CLOUD": "kilonova"}
    subprocess.run([client, *words, "--file", IMAGE], env=environment, check=True, stdout=subprocess.DEVNULL)


def _timed(what: str, act: Callable[[], object]) -> None:
    print(f"{what} …", end=" ", flush=True)
    began = time.monotonic()
    act()
    print(f"{time.monotonic() - began:.1f} s", flush=True)


def _tell(hosts: int) -> None:
    logs = f"in {FOLDER} of each machine, e.g.: python -m lab run control tail {FOLDER}/conductor-1.log"
    print(f"""
A fleet of {hosts} hosts is up.
  API            {URL} (and port 8775), reached over {underlay.CABLE}
  processes      {", ".join(CONTROL_PLANE)}, an agent on each host
  logs           {logs}
  a machine      python -m lab run host-1 virsh list
  a client       export OS_CLIENT_CONFIG_FILE={CLOUDS.relative_to(Path.cwd())} OS_CLOUD=kilonova
                 openstack server create --image tiny --flavor m1.nano --network private --wait one
  the end        make lab-down""")


if __name__ == "__main__":
    main()
