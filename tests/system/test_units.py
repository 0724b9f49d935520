"""The shipped units under a real systemd: each starts, is ready within its own bounds, stops clean, and leaves nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests import brokers, databases
from tests.privacy import open_to_others
from tests.system.nspawn import ACCOUNT_ID, UNITS, Machine, loopback_only
from tests.waiting import wait_until

HEALTH = {"api": 9780, "conductor": 9781, "scheduler": 9782, "agent": 9783}
READY_S = 90.0
SETTINGS = """\
[database]
url = "{database}"
[bus]
url = "{bus}"
[agent]
name = "packaged"
hypervisor = "{hypervisor}"
accelerator = "tcg"
"""


class Packaged:
    """The machine, with settings of its own and the schema made."""

    def __init__(self, machine: Machine, database: str, bus: str) -> None:
        self.machine, self._database, self._bus = machine, database, bus
        self.configure("sim")
        machine.run("/opt/kilonova", "db", "upgrade")

    def configure(self, hypervisor: str) -> None:
        path = self.machine.root / "etc" / "kilonova" / "kilonova.toml"
        path.write_text(SETTINGS.format(database=self._database, bus=self._bus, hypervisor=hypervisor))
        os.chown(path, 0, ACCOUNT_ID)
        path.chmod(0o640)

    def start(self, kind: str) -> None:
        """Type=notify: this returns when the process has said that it is ready."""
        unit = f"kilonova-{kind}"
        self.machine.run("systemctl", "start", "--no-block", unit)

        def is_active() -> bool:
            state = self.machine.show(unit, "ActiveState", "NRestarts")
            assert state["NRestarts"] == "0", self.machine.journal(unit)
            return state["ActiveState"] == "active"

        try:
            wait_until(is_active, f"{unit} is active", READY_S)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.machine.journal(unit)[-3000:]}") from None

    def problems(self, kind: str) -> dict[str, str]:
        """What the process itself says is wrong: this thread is in the machine's network."""
        answer = httpx2.get(f"http://127.0.0.1:{HEALTH[kind]}/healthz/ready", trust_env=False, timeout=READY_S)
        found: dict[str, str] = answer.json()["problems"]
        return found

    def stop(self, kind: str) -> None:
        unit = f"kilonova-{kind}"
        self.machine.run("systemctl", "stop", unit)
        state = self.machine.show(unit, "ActiveState", "Result", "ExecMainStatus")
        assert state == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}, self.machine.journal(
            unit
        )


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Packaged]:
    with ExitStack() as stack:
        space = stack.enter_context(loopback_only(f"kn-units-{os.getpid()}"))
        stack.enter_context(space.inside())
        cluster, broker = stack.enter_context(databases.cluster()), stack.enter_context(brokers.broker())
        if cluster is None or broker is None:
            pytest.skip("PostgreSQL or RabbitMQ is not installed: apt-get install postgresql rabbitmq-server")
        database, bus = stack.enter_context(cluster.empty_database()), stack.enter_context(broker.vhost())
        _, _, engines = database.partition("?host=")
        Path(engines).chmod(0o711)  # its socket is for the account kilonova
        machine = Machine(tmp_path_factory.mktemp("machine"), space.name, Path(engines))
        with machine:
            yield Packaged(machine, database.replace(engines, "/opt/engines"), bus)
        assert machine.left() == []


def test_each_unit_starts_is_ready_and_stops(packaged: Packaged) -> None:
    kinds = [unit.stem.removeprefix("kilonova-") for unit in UNITS]
    assert set(kinds) == set(HEALTH)
    for kind in kinds:
        packaged.start(kind)
    for kind in kinds:
        wait_until(lambda kind=kind: packaged.problems(kind) == {}, f"{kind} is ready", READY_S)
    state = packaged.machine.root / "var" / "lib" / "kilonova"
    owners = {path.name: path.stat().st_uid for path in state.iterdir()}
    assert owners == {"api": ACCOUNT_ID, "images": ACCOUNT_ID, "hosts": 0}
    assert (state / "api" / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert [path for path in open_to_others(state) if path != str(state)] == []
    for kind in reversed(kinds):
        packaged.stop(kind)


def test_a_packaged_host_has_its_driver(packaged: Packaged) -> None:
    """The driver's own look at its folders, as QEMU's user, under the unit's umask and bounds."""
    machine = packaged.machine
    packaged.configure("libvirt")
    machine.run("systemctl", "start", "virtlogd.socket", "libvirtd.socket")
    for kind in ("conductor", "scheduler", "agent"):
        packaged.start(kind)
    wait_until(lambda: packaged.problems("agent") == {}, "the host is up", READY_S)
    host = machine.root / "var" / "lib" / "kilonova" / "hosts" / "packaged"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (host, host / "instances", host / "images")}
    assert modes == {"packaged": 0o710, "instances": 0o710, "images": 0o710}
    assert host.stat().st_gid != 0
    for kind in ("agent", "scheduler", "conductor"):
        packaged.stop(kind)
