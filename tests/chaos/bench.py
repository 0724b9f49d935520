"""One cloud to be killed, and eyes of our own on its hosts: what the cloud says of itself is checked against what is there."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
import tempfile
from abc import abstractmethod
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, Self

from kilonova.settings import CloudSettings
from lab.place import Lab, ThisMachine
from tests.realcloud import DATA_DIR, GUEST, RealCloud

_AGE_HOSTS = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as records: records.execute("UPDATE hosts SET seen_at = '2001-01-01 00:00:00.000000'")
"""


class Bench(AbstractContextManager["Bench"]):
    """A cloud, an image and a flavor. Leaving the block ends the cloud; `purge` is for the orderly way."""

    batch: int  # servers under way at a kill

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.cloud: RealCloud
        self.image = self.flavor = ""

    def __exit__(self, *problem: object) -> None:
        self._stack.close()

    def ask_for(self, name: str) -> str:
        """A server of this name; its id."""
        return self.cloud.boot(name, self.image, self.flavor, config_drive=True)

    def long_outage(self) -> None:
        """While the cloud is dead: make it long ago that anybody heard of its hosts."""
        database = str(self.cloud.settings.data_dir / "kilonova.db")
        self.cloud.place.run(sys.executable, "-c", _AGE_HOSTS, database)

    @abstractmethod
    def machines(self) -> dict[str, str]:
        """Every machine on the hosts by server id, and what shows that it runs on as the same one (its process, its host)."""

    @abstractmethod
    def strays(self, servers: set[str]) -> list[str]:
        """What is on the hosts that none of these servers explains, in words."""

    @abstractmethod
    def remains(self) -> list[str]:
        """What is left after a purge, in words."""

    def _add_flavor(self, **more: Any) -> None:
        flavor = {"name": "chaos", "ram": 128, "vcpus": 1, "disk": 0, **more}
        self.flavor = self.cloud.compute("POST", "/flavors", {"flavor": flavor})["flavor"]["id"]


class SimBench(Bench):
    """Two simulated hosts."""

    batch = 4

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="kilonova-chaos-")))
        settings = CloudSettings(
            data_dir=self._folder / "cloud", port=_free_port(), hypervisor="sim", sim_hosts=2, sim_pace=0.15
        )
        self.cloud = self._stack.enter_context(RealCloud(ThisMachine(), settings))
        self.cloud.start()
        self.image = self.cloud.upload("chaos", "raw", bytes(65536))
        self._add_flavor()
        return self

    def machines(self) -> dict[str, str]:
        found: dict[str, list[str]] = {}
        for file in (self.cloud.settings.data_dir / "hosts").glob("*/machines.jsonl"):
            for server_id, is_removed in _replay(file).items():
                if not is_removed:
                    found.setdefault(server_id, []).append(file.parent.name)
        return {server_id: "+".join(sorted(hosts)) for server_id, hosts in found.items()}

    def strays(self, servers: set[str]) -> list[str]:
        twice = [f"{server} on {hosts}" for server, hosts in self.machines().items() if "+" in hosts]
        return twice + [f"machine {server}" for server in self.machines().keys() - servers]

    def remains(self) -> list[str]:
        home = self._folder / "cloud-home"
        shutil.rmtree(home, ignore_errors=True)
        return [str(path) for path in self._folder.iterdir()]


class LibvirtBench(Bench):
    """This machine in a lab, with real QEMU under emulation and the tiny guest: a root disk, a kernel and a ramdisk."""

    batch = 2

    def __enter__(self) -> Self:
        self._lab = self._stack.enter_context(Lab())
        self._stack.enter_context(self._lab.inside())
        settings = CloudSettings(data_dir=DATA_DIR, accelerator="tcg")
        self.cloud = self._stack.enter_context(RealCloud(self._lab, settings))
        self.cloud.start()
        self.image = upload_guest(self.cloud)
        self._add_flavor(swap=16)
        return self

    def machines(self) -> dict[str, str]:
        found = dict.fromkeys(self._lab.run("virsh", "list", "--all", "--uuid").split(), "")
        for line in self._lab.run("pgrep", "-a", "qemu-system", check=False).splitlines():
            pid, _, command = line.partition(" ")
            uuid = re.search(r"-uuid (\S+)", command)
            if uuid:
                found[uuid[1]] = f"{found.get(uuid[1], 'no domain ')}{pid}"
        return found

    def strays(self, servers: set[str]) -> list[str]:
        host = self._lab.path(self.cloud.settings.data_dir) / "hosts" / "lab"
        shown = {
            "machine": set(self.machines()) - servers,
            "folder": {path.name for path in (host / "instances").iterdir()} - servers,
            "file": {str(path.relative_to(host)) for path in host.rglob("*.part")},
        }
        words = [f"{kind} {thing}" for kind, things in shown.items() for thing in sorted(things)]
        counts = {"taps": self._taps(), "dhcp entries": self._dhcp_entries(), "guarded taps": self._guarded_taps()}
        return words + [f"{n} {kind} for {len(servers)}" for kind, n in counts.items() if n != len(servers)]

    def remains(self) -> list[str]:
        """The lab's own are its first process, the command that looks, and the loopback device."""
        processes = self._lab.run("ps", "-e", "-o", "pid=,comm=").splitlines()
        others = [line.strip() for line in processes if line.split()[0] != "1" and line.split()[1] != "ps"]
        links = [
            line.split()[0] for line in self._lab.run("ip", "-br", "link").splitlines() if not line.startswith("lo ")
        ]
        tables = self._lab.run("nft", "list", "tables").splitlines()
        files = [path.name for path in self._lab.path(DATA_DIR.parent).glob("cloud*") if path.name != "cloud-home"]
        ours = ["/run/kilonova"] if self._lab.path(Path("/run/kilonova")).exists() else []
        defined = [path.name for path in self._lab.path(Path("/etc/libvirt/qemu")).glob("*.xml")]
        return [*others, *links, *tables, *files, *ours, *defined]

    def _taps(self) -> int:
        return self._lab.run("ip", "-br", "link").count("knt")

    def _dhcp_entries(self) -> int:
        files = self._lab.path(Path("/run/kilonova")).glob("*/*/hosts")
        return sum(len(path.read_text().splitlines()) for path in files)

    def _guarded_taps(self) -> int:
        listed = self._lab.run("nft", "list", "set", "bridge", "kilonova", "taps", check=False)
        return len(re.findall(r'"knt\w+"', listed))


def upload_guest(cloud: RealCloud) -> str:
    """The tiny guest as Amazon's kind of image: a root disk that names its kernel and ramdisk."""
    kernel = cloud.upload("kernel", "aki", (GUEST / "vmlinuz").read_bytes())
    ramdisk = cloud.upload("ramdisk", "ari", (GUEST / "initrd").read_bytes())
    arguments = {"kernel_id": kernel, "ramdisk_id": ramdisk, "os_command_line": "console=ttyS0 root=/dev/vda"}
    return cloud.upload("guest", "ami", (GUEST / "rootfs.img").read_bytes(), **arguments)


def _replay(file: Path) -> dict[str, bool]:
    """The machines of a simulated host's file, and whether each is removed."""
    found = {}
    for line in file.read_bytes().splitlines():
        try:
            machine = json.loads(line)
        except ValueError:
            continue  # cut short by a kill
        found[machine["server_id"]] = machine.get("removed", False)
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
