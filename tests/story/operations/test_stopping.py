"""The process behind `kilonova up` is told to stop: under load, in the middle of its start, and more than once."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest

from kilonova.settings import CloudSettings, save
from tests import brokers, fleet
from tests.fleet import Client
from tests.hammering import Hammering
from tests.waiting import wait_until

CLIENTS = 6
GONE_S = 30.0  # what is under way takes less than a second each; the machine may be busy


@pytest.fixture
def settings(tmp_path: Path) -> CloudSettings:
    [port] = brokers.free_ports(1)
    made = CloudSettings(data_dir=tmp_path / "cloud", port=port, hypervisor="sim", sim_hosts=4, sim_pace=0.1)
    save(made)
    return made


@contextmanager
def process(settings: CloudSettings) -> Iterator[subprocess.Popen[bytes]]:
    """The cloud's own process, which does not outlive the block."""
    command = [sys.executable, "-m", "kilonova.cli.main", "serve", "--data-dir", str(settings.data_dir)]
    with (settings.data_dir / "kilonova.log").open("ab") as log:
        made = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield made
    finally:
        made.kill()
        made.wait()


def stopped(made: subprocess.Popen[bytes], times: int = 1) -> int:
    """Its exit code, once it is gone."""
    for _ in range(times):
        made.send_signal(signal.SIGTERM)
    return made.wait(GONE_S)


def answers(settings: CloudSettings) -> bool:
    try:
        return httpx2.get(f"{settings.base_url}/kilonova/v1/health", trust_env=False).is_success
    except httpx2.TransportError:
        return False


@contextmanager
def client(settings: CloudSettings) -> Iterator[Client]:
    wait_until(lambda: answers(settings), "the cloud answers")
    made = Client(settings.base_url, fleet.password_in(settings.data_dir))
    with closing(made.http):
        yield made


def said(settings: CloudSettings) -> str:
    return (settings.data_dir / "kilonova.log").read_text()


def test_under_load_every_202_that_was_heard_is_a_server_once_it_is_up_again(settings: CloudSettings) -> None:
    with process(settings) as cloud, client(settings) as admin:
        admin.lift_quotas()
        load = Hammering(admin, settings.base_url, admin.image())
        with load.by(CLIENTS):
            try:
                wait_until(lambda: len(load.accepted) >= 3 * CLIENTS, "there is load")
                assert stopped(cloud, times=3) == 0, said(settings)
            finally:
                cloud.kill()
    assert set(load.outcomes.values()) <= {202, None}
    assert "Traceback" not in said(settings)
    with process(settings) as cloud, client(settings) as admin:
        wait_until(lambda: "BUILD" not in load.servers(admin).values(), "every server is built", 120)
        assert load.servers(admin) == dict.fromkeys(load.accepted, "ACTIVE")
        assert wait_until(lambda: admin.orphans() == {}, "nothing is left over", 30)
        assert stopped(cloud) == 0


def test_in_the_middle_of_its_first_start_and_the_next_one_is_as_if_nothing_had_been(settings: CloudSettings) -> None:
    with process(settings) as cloud:
        wait_until((settings.data_dir / "kilonova.db").exists, "it has begun")
        assert stopped(cloud) == 0, said(settings)
    assert "Traceback" not in said(settings)
    with process(settings) as cloud, client(settings) as admin:
        assert admin.orphans() == {}
        assert stopped(cloud) == 0


def test_a_port_that_is_taken_is_said_to_be_and_nothing_runs_on(settings: CloudSettings) -> None:
    with socket.create_server((settings.host, settings.port)), process(settings) as cloud:
        assert cloud.wait(60) == 1
    assert "cannot listen on" in said(settings)
    assert "Traceback" not in said(settings)
