"""The real process behind `kilonova up`, in a place of its own: started, killed, started again, and talked to over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from kilonova.settings import SETTINGS_FILE, CloudSettings
from lab.place import Place
from tests.waiting import wait_until

DATA_DIR = Path("/", "run", "cloud", "data")  # in a lab, whose /run is its own
GUEST = Path(__file__).parents[1] / "build" / "guest"
_UP_S = 60.0
_DOWN_S = 60.0


class RealCloud(AbstractContextManager["RealCloud"]):
    """
    One cloud; made stopped. `settings.data_dir` is a path of the place's. Leaving the block kills its process and leaves its
    hosts as they are; `purge` is what cleans them up.
    """

    def __init__(self, place: Place, settings: CloudSettings) -> None:
        self.place, self.settings = place, settings
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx2.Client(base_url=settings.base_url, timeout=60.0, trust_env=False)
        self._token = ""
        self._home = settings.data_dir.with_name(settings.data_dir.name + "-home")
        folder = place.path(settings.data_dir)
        folder.mkdir(mode=0o711, parents=True)
        (folder / SETTINGS_FILE).write_bytes(msgspec.json.encode(settings, enc_hook=str))

    # --- the process ---

    def start(self, faults: str = "") -> None:
        """Start it, and wait until it answers and its hosts have joined."""
        assert self._process is None, "it runs already"
        environment = {**os.environ, "HOME": str(self._home), "KILONOVA_FAULT": faults}
        words = [sys.executable, "-m", "kilonova.cli.main", "serve", "--data-dir", str(self.settings.data_dir)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.place.command(*words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        wait_until(self._is_up, "the cloud is up, its hosts too", _UP_S)

    def kill(self) -> None:
        """Kill -9, whatever it is doing."""
        if self._process is not None:
            pid = (self.place.path(self.settings.data_dir) / "kilonova.pid").read_text().split()[0]
            subprocess.run(self.place.command("kill", "-9", pid), check=False, capture_output=True)
            self.wait_for_death()

    def wait_for_death(self, seconds: float = _DOWN_S) -> None:
        """Wait until it has ended, by its own hand or another's."""
        assert self._process is not None
        self._process.wait(seconds)
        self._process = None

    @property
    def is_dead(self) -> bool:
        """Whether it has ended."""
        return self._process is None or self._process.poll() is not None

    def purge(self) -> None:
        """`kilonova down --purge`."""
        words = [
            sys.executable,
            "-m",
            "kilonova.cli.main",
            "down",
            "--purge",
            "--yes",
            "--data-dir",
            str(self.settings.data_dir),
        ]
        command = self.place.command("env", f"HOME={self._home}", *words)
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOWN_S * 2, check=False)
        assert done.returncode == 0, done.stderr
        if self._process is not None:
            self.wait_for_death()

    def __exit__(self, *problem: object) -> None:
        self.kill()
        self._http.close()

    @property
    def log(self) -> Path:
        """What the process says."""
        return self.place.path(self.settings.data_dir) / "kilonova.log"

    def _is_up(self) -> bool:
        assert not self.is_dead, f"the cloud ended while it started:\n{self.log.read_text()[-3000:]}"
        try:
            chosen = self.call("GET", "/kilonova/v1/status")["status"]["chosen"]
        except (httpx2.TransportError, FileNotFoundError):
            return False
        return bool(chosen["hosts_problem"] == "")

    # --- its API ---

    def call(self, method: str, path: str, body: Any = None, *, status: int | None = None, content: Any = None) -> Any:
        """As the administrator; gives the decoded body. `status` None: any success."""
        if not self._token:
            self._log_in()
        headers = {"X-Auth-Token": self._token, "OpenStack-API-Version": "compute 2.96"}
        if content is not None:
            headers["Content-Type"] = "application/octet-stream"
        answer = self._http.request(method, path, json=body, content=content, headers=headers)
        if answer.status_code == 401:
            self._token = ""
            return self.call(method, path, body, status=status, content=content)
        is_wanted = answer.is_success if status is None else answer.status_code == status
        assert is_wanted, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def compute(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        """Below /compute/v2.1."""
        return self.call(method, f"/compute/v2.1{path}", body, status=status)

    def network(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        """Below /networking/v2.0."""
        return self.call(method, f"/networking/v2.0{path}", body, status=status)

    def upload(self, name: str, disk_format: str, bits: bytes, **properties: Any) -> str:
        """An image with its bits; its id."""
        container = disk_format if disk_format in ("ami", "aki", "ari") else "bare"
        record = {"name": name, "disk_format": disk_format, "container_format": container, **properties}
        image_id = str(self.call("POST", "/image/v2/images", record)["id"])
        self.call("PUT", f"/image/v2/images/{image_id}/file", content=bits, status=204)
        return image_id

    def boot(self, name: str, image: str, flavor: str, **more: Any) -> str:
        """Ask for a server; its id."""
        server = {"name": name, "imageRef": image, "flavorRef": flavor, "networks": "auto", **more}
        return str(self.compute("POST", "/servers", {"server": server}, status=202)["server"]["id"])

    def server(self, server_id: str) -> dict[str, Any] | None:
        """A server as its owner sees it; None when it is gone."""
        answer = self.compute("GET", f"/servers/detail?uuid={server_id}&all_tenants=1")["servers"]
        found: list[dict[str, Any]] = answer
        return found[0] if found else None

    def wait_for(self, server_id: str, status: str, seconds: float = 60.0) -> dict[str, Any]:
        """Wait for a server to be in a status; any other that lasts fails at once."""

        def there() -> dict[str, Any] | None:
            server = self.server(server_id)
            assert server is not None, f"server {server_id} is gone"
            assert server["status"] in (status, "BUILD"), f"{server['status']}: {server.get('fault')}"
            return server if server["status"] == status else None

        found: dict[str, Any] = wait_until(there, f"server {server_id} is {status}", seconds)
        return found

    def delete(self, *server_ids: str, seconds: float = 60.0) -> None:
        """Delete servers and wait until they are gone."""
        for server_id in server_ids:
            self.compute("DELETE", f"/servers/{server_id}", status=204)
        for server_id in server_ids:
            wait_until(lambda server_id=server_id: self.server(server_id) is None, f"{server_id} is gone", seconds)

    def audit(self) -> dict[str, Any]:
        """What should not exist."""
        found: dict[str, Any] = self.call("GET", "/kilonova/v1/audit")["audit"]
        return found

    def _log_in(self) -> None:
        made = json.loads((self.place.path(self.settings.data_dir) / "credentials.json").read_text())
        user = {"name": "admin", "domain": {"id": "default"}, "password": made["admin_password"]}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
            }
        }
        answer = self._http.post("/identity/v3/auth/tokens", json=body)
        assert answer.status_code == 201, answer.text
        self._token = answer.headers["X-Subject-Token"]
