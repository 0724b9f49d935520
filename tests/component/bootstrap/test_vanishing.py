"""
The database vanishes between the moment when a process finds it well and the moment when its roles begin.

Real processes of a fleet, but for the operating system's part, on a real PostgreSQL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from kilonova.bootstrap.fleet import make_api, make_conductor, make_scheduler_process
from kilonova.config.fleet import FleetConfig
from kilonova.config.load import load_config
from kilonova.daemon.life import Component, Daemon, live
from kilonova.store import schema
from kilonova.store.database import Database
from tests import brokers, databases
from tests.waiting import wait_until

KINDS: dict[str, Callable[[FleetConfig], Daemon]] = {
    "api": make_api, "conductor": make_conductor, "scheduler": make_scheduler_process,
}  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[databases.Cluster]:
    with databases.cluster(keeps_commits=True) as made:
        if made is None:
            pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
        yield made


class Vanishing:
    """A process whose database goes as its roles are made, and again as each of them begins."""

    def __init__(self, kind: str, config: FleetConfig, cluster: databases.Cluster) -> None:
        daemon = KINDS[kind](config)
        self._cluster, self._make_roles, self.health = cluster, daemon.make_roles, daemon.health
        self._before: set[object] = {"its roles are made"}
        self._turning = threading.Lock()
        self.gone = threading.Event()
        self.stopping = threading.Event()
        self.raised: list[BaseException] = []
        self._thread = threading.Thread(target=self._live, args=(replace(daemon, make_roles=self._roles),))
        self._thread.start()

    def _live(self, daemon: Daemon) -> None:
        try:
            live(daemon, self.stopping)
        except BaseException as error:
            self.raised.append(error)
            raise

    def _vanish_once_before(self, what: object) -> None:
        with self._turning:
            if what in self._before and not self.gone.is_set():
                self._before.remove(what)
                self._cluster.go_away()
                self.gone.set()

    def _roles(self) -> Sequence[Component]:
        self._vanish_once_before("its roles are made")
        roles = self._make_roles()
        self._before = set(range(len(roles)))
        return [_Watched(role, self._vanish_once_before, number) for number, role in enumerate(roles)]

    def say_so_and_go_on(self) -> int:
        """Bring the database back as often as it goes, each time once the process says that it waits; how often that was."""
        times = 0
        while wait_until(lambda: self.gone.is_set() or self.is_ready() or self.raised, "it starts"):
            if not self.gone.is_set():
                return times
            try:
                wait_until(self.says_so, "it says that it cannot work")
            finally:
                with self._turning:
                    self._cluster.come_back()
                    self.gone.clear()
            times += 1
        raise AssertionError("not reached")

    def says_so(self) -> bool:
        assert not self.raised
        return "database" in self.health.problems()

    def is_ready(self) -> bool:
        return not self.health.problems()

    def end(self) -> None:
        self.stopping.set()
        self._thread.join(60)
        assert not self._thread.is_alive()


class _Watched:
    def __init__(self, role: Component, before: Callable[[object], None], number: int) -> None:
        self._role, self._before, self._number = role, before, number
        self.stop = role.stop

    def start(self) -> None:
        self._before(self._number)
        self._role.start()


@pytest.mark.parametrize("kind", KINDS)
def test_a_process_waits_says_so_and_serves(kind: str, cluster: databases.Cluster, tmp_path: Path) -> None:
    port, health_port = brokers.free_ports(2)
    with cluster.empty_database() as url:
        made = Database(url)
        schema.ensure_schema(made)
        made.close()
        settings = tmp_path / "kilonova.toml"
        settings.write_text(
            f'[database]\nurl = "{url}"\n[bus]\nurl = "memory://"\n'
            f'[api]\nport = {port}\ncredentials_file = "{tmp_path}/c.json"\npolicy_file = "{tmp_path}/p.yaml"\n'
            f'[images]\nfolder = "{tmp_path}/images"\n'
        )
        environment = {f"KILONOVA_{kind.upper()}_HEALTH_PORT": str(health_port)}
        process = Vanishing(kind, load_config(FleetConfig, settings, environment), cluster)
        try:
            assert process.say_so_and_go_on() >= 3
            assert process.raised == []
            if kind == "api":
                assert httpx2.get(f"http://127.0.0.1:{port}/compute/", trust_env=False).status_code == 200
        finally:
            process.end()
        assert process.raised == []
