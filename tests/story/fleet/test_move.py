"""A cloud of one process becomes a fleet: `kilonova db move`, and its servers never notice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from kilonova.settings import CloudSettings, save
from tests import brokers, fleet
from tests.fleet import Client
from tests.waiting import wait_until

HOSTS = 2


@contextmanager
def embedded(settings: CloudSettings) -> Iterator[None]:
    """The cloud's process, until the end of the block."""
    command = [sys.executable, "-m", "kilonova.cli.main", "serve", "--data-dir", str(settings.data_dir)]
    with (settings.data_dir / "log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: answers(settings.base_url), "the cloud answers")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/kilonova/v1/health", trust_env=False).is_success
    except httpx2.TransportError:
        return False


def move(made: fleet.Fleet, data_dir: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "kilonova.cli.main",
        "db",
        "move",
        "--config",
        str(made.config),
        "--from",
        str(data_dir),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ})


def test_a_cloud_of_one_process_becomes_a_fleet(engines: fleet.Engines, tmp_path: Path) -> None:
    (port,) = brokers.free_ports(1)
    data_dir = tmp_path / "cloud"
    settings = CloudSettings(data_dir=data_dir, port=port, hypervisor="sim", sim_hosts=HOSTS, sim_pace=0.0)
    save(settings)
    (folder := tmp_path / "fleet").mkdir()
    with engines.fleet(folder) as made:
        with embedded(settings):
            password = fleet.password_in(data_dir)
            client = Client(settings.base_url, password)
            image = client.image()
            for name in ("one", "two"):
                assert client.boot(name, image).status_code == 202
            wait_until(lambda: set(client.statuses().values()) == {"ACTIVE"}, "both servers are active")
            refused = move(made, data_dir)
            assert refused.returncode == 1
            assert "Another process runs the cloud" in refused.stderr
            client.http.close()

        moved = move(made, data_dir)
        assert moved.returncode == 0, moved.stderr
        assert "compared" in moved.stderr
        assert f"copy {data_dir / 'images'} to {folder / 'images'} (1 files, 65536 bytes)" in moved.stderr
        again = move(made, data_dir)
        assert again.returncode == 1
        assert "The target is not empty" in again.stderr

        (data_dir / "images" / image).rename(folder / "images" / image)
        (data_dir / "credentials.json").rename(folder / "credentials.json")
        goes_on_in(made, data_dir, image)


def goes_on_in(made: fleet.Fleet, data_dir: Path, image: str) -> None:
    """The servers moved are there, and another boots beside them."""
    made.start("api", "conductor", "scheduler")
    made.start(
        "agent", KILONOVA_AGENT_HOSTS=str(HOSTS), KILONOVA_AGENT_NAME="sim", KILONOVA_AGENT_DATA_DIR=f"{data_dir}/hosts"
    )
    made.wait_ready()
    client = made.client()
    assert client.statuses() == {"one": "ACTIVE", "two": "ACTIVE"}
    assert client.boot("three", image).status_code == 202
    wait_until(lambda: client.statuses().get("three") == "ACTIVE", "a server boots from the moved image")
    wait_until(lambda: client.orphans() == {}, "no orphans")
