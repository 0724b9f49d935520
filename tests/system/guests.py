"""Real guests of a real cloud in a lab: what a user has to do with them, by API, console and ssh."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from kilonova.domain.hostnet import bridge_name
from kilonova.settings import CloudSettings
from lab.place import Lab
from tests.realcloud import DATA_DIR, GUEST, RealCloud
from tests.system.ssh import ssh
from tests.waiting import wait_until

PATIENCE_S = 90.0
REFUSED_S = 1.0  # how long a packet that must not arrive is waited for


class Guests:
    """A cloud under emulation with the tiny guest in two forms, a key pair, and a security group that lets ssh in."""

    def __init__(self, lab: Lab, cloud: RealCloud, folder: Path) -> None:
        self.lab, self.cloud = lab, cloud
        self.key, self.state = folder / "key", folder / "state"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key], check=True)
        key = {"name": "key", "public_key": self.key.with_suffix(".pub").read_text()}
        cloud.compute("POST", "/os-keypairs", {"keypair": key})
        self.image, self.qcow2 = self._upload()
        self.flavor = self.add_flavor("small")
        self.group = cloud.network("POST", "/security-groups", {"security_group": {"name": "ssh"}})["security_group"][
            "id"
        ]
        self.add_rule(self.group, protocol="tcp", port_range_min=22, port_range_max=22)

    def _upload(self) -> tuple[str, str]:
        upload = self.cloud.upload
        parts = {
            "kernel_id": upload("kernel", "aki", (GUEST / "vmlinuz").read_bytes()),
            "ramdisk_id": upload("ramdisk", "ari", (GUEST / "initrd").read_bytes()),
            "os_command_line": "console=ttyS0 root=/dev/vda",
        }
        whole = upload("whole", "qcow2", (GUEST / "kilonova-guest.qcow2").read_bytes())
        return upload("parts", "ami", (GUEST / "rootfs.img").read_bytes(), **parts), whole

    def add_flavor(self, name: str, **more: Any) -> str:
        """A flavor with no disk of its own size; its id."""
        flavor = {"name": name, "ram": 128, "vcpus": 1, "disk": 0, **more}
        return str(self.cloud.compute("POST", "/flavors", {"flavor": flavor})["flavor"]["id"])

    def add_rule(self, group: str, **rule: Any) -> str:
        """An ingress rule; its id."""
        body = {"security_group_rule": {"security_group_id": group, "direction": "ingress", **rule}}
        return str(self.cloud.network("POST", "/security-group-rules", body)["security_group_rule"]["id"])

    def ask_for(self, name: str, *, image: str = "", groups: tuple[str, ...] = ("default", "ssh"), **more: Any) -> str:
        """A server with the key and these security groups; its id."""
        if "user_data" in more:
            more["user_data"] = base64.b64encode(more["user_data"].encode()).decode()
        more.setdefault("security_groups", [{"name": group} for group in groups])
        flavor = more.pop("flavor", self.flavor)
        return self.cloud.boot(name, image or self.image, flavor, key_name="key", **more)

    def console(self, server_id: str) -> str:
        """The console log, as the API gives it."""
        answer = self.cloud.compute("POST", f"/servers/{server_id}/action", {"os-getConsoleOutput": {}})
        return str(answer["output"]).replace("\r", "")

    def wait_until_ready(self, server_id: str) -> str:
        """Wait until the guest says on its console that it is; the whole log."""
        self.cloud.wait_for(server_id, "ACTIVE")
        wait_until(lambda: "kilonova-guest: ready" in self.console(server_id), f"{server_id} is ready", PATIENCE_S)
        return self.console(server_id)

    def address(self, server_id: str) -> str:
        """The fixed address in the records."""
        server = self.cloud.server(server_id)
        assert server is not None
        [[port]] = server["addresses"].values()
        return str(port["addr"])

    def ssh(self, server_id: str, command: str, *, check: bool = True) -> str:
        """What a command prints in the guest."""
        return self._on_its_network(server_id, *ssh(self.key, self.address(server_id), command), check=check)

    def kilonova(self, *words: str) -> str:
        """What a command of ours prints, as the administrator."""
        made = json.loads(self.lab.path(DATA_DIR / "credentials.json").read_text())
        told = {"AUTH_URL": f"{self.cloud.settings.base_url}/identity/v3", "USERNAME": "admin", "PROJECT_NAME": "admin"}
        told |= {"PASSWORD": made["admin_password"], "USER_DOMAIN_ID": "default", "PROJECT_DOMAIN_ID": "default"}
        environment = [f"XDG_STATE_HOME={self.state}", *(f"OS_{name}={value}" for name, value in told.items())]
        return self.lab.run("env", *environment, sys.executable, "-m", "kilonova.cli.main", *words)

    def _on_its_network(self, server_id: str, *words: str, check: bool) -> str:
        """What a command prints that is run where the server's network is served."""
        [port] = self.cloud.network("GET", f"/ports?device_id={server_id}")["ports"]
        [space] = self.lab.path(Path("/run/netns")).glob(f"{bridge_name(port['network_id'])}-*")
        return self.lab.run("ip", "netns", "exec", space.name, *words, check=check)

    def report(self, server_id: str) -> dict[str, Any]:
        """What the guest knows of itself."""
        found: dict[str, Any] = json.loads(self.ssh(server_id, "report"))
        return found

    def pings(self, server_id: str, address: str) -> bool:
        """Whether one guest reaches an address by echo."""
        return "1 packets received" in self.ssh(server_id, f"ping -c 1 -W 2 {address}", check=False)

    def answers(self, server_id: str, port: int = 22) -> bool:
        """Whether the host comes through to a port of the guest's."""
        code = (
            f"import socket; socket.create_connection(({self.address(server_id)!r}, {port}), {REFUSED_S}); print('yes')"
        )
        return "yes" in self._on_its_network(server_id, sys.executable, "-c", code, check=False)

    def processes(self) -> dict[str, str]:
        """QEMU's pid by server id."""
        lines = self.lab.run("pgrep", "-a", "qemu-system", check=False).splitlines()
        return {line.partition(" -uuid ")[2].split()[0]: line.split()[0] for line in lines}


def settings() -> CloudSettings:
    """Of a cloud in a lab."""
    return CloudSettings(data_dir=DATA_DIR, accelerator="tcg")
