"""A simulated cloud of one's own, driven by the command line alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from kilonova.cli import process
from kilonova.cli.client import local_client
from kilonova.cli.main import cli


class Commands:
    """Runs `kilonova` as if from a shell whose environment names one data directory and one clouds.yaml."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "cloud"
        self.clouds_file = folder / "clouds.yaml"
        self.port = free_port()
        self._env = {
            "KILONOVA_DATA_DIR": str(self.data_dir), "OS_CLIENT_CONFIG_FILE": str(self.clouds_file),
            "OS_CLOUD": None, "OS_AUTH_URL": None, "HOME": str(folder),
        }  # fmt: skip

    def run(self, *args: str) -> Result:
        return CliRunner().invoke(cli, list(args), env=self._env)

    def ok(self, *args: str) -> str:
        done = self.run(*args)
        assert done.exit_code == 0, f"kilonova {' '.join(args)}: {done.output}"
        return done.stdout

    def facts(self, *args: str) -> Any:
        return json.loads(self.ok(*args, "--json"))

    def facts_of_a_cloud_that_is_down(self) -> Any:
        done = self.run("status", "--json")
        assert done.exit_code == 1
        return json.loads(done.stdout)

    def up(self, *args: str) -> str:
        return self.ok("up", "--sim", "--port", str(self.port), "--pace", "0.02", *args)

    def kill(self) -> None:
        """What a power cut does."""
        pid = process.running(self.data_dir)
        assert pid is not None
        handle = os.pidfd_open(pid)
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        assert process.ended(handle, 10.0)
        os.close(handle)

    def upload_image(self, name: str) -> str:
        wanted = {"name": name, "disk_format": "raw", "container_format": "bare", "os_distro": "debian"}
        with local_client(self.data_dir) as client:
            ident: str = client.call("image", "POST", "/images", body=wanted)["id"]
            headers = {"X-Auth-Token": client._secret, "Content-Type": "application/octet-stream"}
            url = f"http://127.0.0.1:{self.port}/image/v2/images/{ident}/file"
            assert httpx2.put(url, content=b"\0" * 4096, headers=headers, trust_env=False).is_success
        return ident


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def cloud_in(folder: Path) -> Iterator[Commands]:
    commands = Commands(folder)
    try:
        yield commands
    finally:
        process.stop(commands.data_dir, 20.0)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """A cloud that is up, with one image; shared by a file's tests, which leave it up and without servers."""
    for commands in cloud_in(tmp_path_factory.mktemp("cli")):
        commands.up("--hosts", "2")
        commands.upload_image("tiny")
        yield commands


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Commands]:
    """A place for a cloud, and nothing there yet."""
    yield from cloud_in(tmp_path)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Commands, Path]]:
    """A cloud with an image, that is down, and a backup of it; tests copy both."""
    folder = tmp_path_factory.mktemp("saved")
    for cloud in cloud_in(folder):
        cloud.up()
        cloud.upload_image("tiny")
        cloud.ok("down")
        cloud.ok("backup", str(folder / "backup"))
        yield cloud, folder / "backup"


@pytest.fixture
def down(saved: tuple[Commands, Path], own: Commands) -> tuple[Commands, Path]:
    """A copy of that cloud and of its backup."""
    cloud, file = saved
    shutil.copytree(cloud.data_dir, own.data_dir)
    return own, Path(shutil.copy(file, own.data_dir.with_name("backup")))


def tree(folder: Path) -> dict[str, str]:
    """The digest of every file below."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
