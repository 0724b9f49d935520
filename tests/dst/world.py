"""One world, from its seed to its verdict."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import msgspec
import structlog

from kilonova.agent.service import OBSERVE_EVERY_S
from kilonova.conductor.kernel.definition import Definition
from kilonova.domain.clock import Ids
from kilonova.domain.image import Image, ImageStatus
from kilonova.scheduler import plugins
from tests.dst.bus import Transport
from tests.dst.chance import Chance, Odds
from tests.dst.events import START, Endless, Events
from tests.dst.faults import Faults
from tests.dst.liveness import Canary
from tests.dst.processes import Api, ConductorProcess, HostProcess, SchedulerProcess
from tests.dst.properties import Broken, Properties
from tests.dst.store import the_store
from tests.dst.users import IMAGE, Users

FAULTS_LAST_S = 60.0
_CRITICAL = 50  # what the product never logs at
_REST_S = 10.0
_MOST_RESTS = 240  # 40 minutes: longer than anything is given to end by itself


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a world; `failure` is empty when every property held."""

    seed: int
    failure: str
    digest: str
    steps: int
    simulated_s: float
    servers: int
    faults: dict[str, int]


class OneImage:
    """An image service with one image."""

    def __init__(self) -> None:
        self._image = Image(
            id=IMAGE, owner=None, name="tiny", status=ImageStatus.ACTIVE, visibility="public", protected=False,
            hidden=False, disk_format="qcow2", container_format="bare", size=1024, virtual_size=1 << 20, min_disk=0,
            min_ram=0, checksum=None, sha512="0" * 128, tags=(), properties={}, created_at=START, updated_at=None,
            deleted_at=None,
        )  # fmt: skip

    def get(self, *args: object) -> Image:
        return self._image


class World:
    """See the package's text. `edit` may replace sagas, for tests that plant a bug."""

    edit: Callable[[Definition], Definition] = staticmethod(lambda definition: definition)

    def __init__(self, seed: int, *, trace: list[str] | None = None) -> None:
        self.seed = seed
        self.chance = chance = Chance(seed, trace=trace)
        self.ids = Ids(random.Random(chance.rng.random()))
        self.events = Events(chance)
        self.store = the_store()
        self.store.begin_anew()
        self.odds = Odds.none()
        self.images = OneImage()
        self._is_patient = chance.happens(0.1)
        self.transport = Transport(self.events, durable=chance.happens(0.7))
        self.api = Api(self, "api")
        self.conductors = [ConductorProcess(self, f"conductor-{i}") for i in range(chance.pick((1, 2, 2, 3)))]
        self.schedulers = [SchedulerProcess(self, f"scheduler-{i}") for i in range(chance.pick((1, 1, 2)))]
        self.hosts = [HostProcess(self, f"host-{i}") for i in range(chance.pick((1, 2, 3, 3)))]
        self.processes = [self.api, *self.conductors, *self.schedulers, *self.hosts]
        self.users, self.faults = Users(self), Faults(self)
        self.properties = Properties(self)
        self._created: dict[str, float] = {}

    def run(self) -> Verdict:
        """Live through it."""
        try:
            self._live()
            failure = ""
        except (Broken, Endless) as problem:
            failure = str(problem)
        except Exception:  # noqa: BLE001 - a fault of the simulation itself is a failure of the seed as well
            failure = traceback.format_exc()
        asked = self.store.raw.execute("SELECT count(*) FROM servers").fetchone()[0]
        return Verdict(
            seed=self.seed, failure=failure, digest=self.chance.digest(), steps=self.events.steps, servers=asked,
            simulated_s=round(self.events.now_s, 1), faults=dict(sorted(self.chance.faults.items())),
        )  # fmt: skip

    def committed(self) -> None:
        self.properties.committed()

    def created_s(self, server_id: str) -> float:
        """When a server was asked for."""
        if server_id not in self._created:
            row = self.store.raw.execute("SELECT created_at FROM servers WHERE id = ?", (server_id,)).fetchone()
            self._created[server_id] = 0.0 if row is None else row[0] / 1e6 - START.timestamp()
        return self._created[server_id]

    def _live(self) -> None:
        for process in self.processes:
            process.start()
        self.events.after_each = self._after_event
        self.events.run(1.0)
        self.odds = self.transport.odds = self.chance.odds()
        self.users.plan(self.chance.pick((4, 8, 12)), FAULTS_LAST_S * 0.7)
        self.faults.plan(FAULTS_LAST_S)
        self.events.run(FAULTS_LAST_S)
        self.odds = self.transport.odds = Odds.none()
        self.faults.mend()
        self._come_to_rest()
        self.properties.in_the_end()
        if problem := Canary(self).problem():
            raise Broken(f"canary: {problem}")

    def _after_event(self) -> None:
        for conductor in self.conductors:
            if conductor.is_up:
                conductor.take_turns()
        self.properties.after_event()

    def _come_to_rest(self) -> None:
        """Until every saga has ended and nothing is under way; then two passes of what reconciles, awaited or called."""
        for _ in range(_MOST_RESTS):
            self.events.run(_REST_S)
            if not self.transport.under_way and not self._live_sagas():
                break
        if self._is_patient:
            self.events.run(2 * OBSERVE_EVERY_S + 70.0)
            return
        for _ in range(2):
            for host in self.hosts:
                host.observe()
            self.events.run(5.0)
            for conductor in self.conductors:
                conductor.power.activate()
                conductor.network_sync.activate()
                conductor.guest_data.activate()
            self.events.run(5.0)

    def _live_sagas(self) -> int:
        live = "SELECT count(*) FROM sagas WHERE status IN ('ready', 'parked', 'queued')"
        return int(self.store.raw.execute(live).fetchone()[0])


@contextmanager
def simulating(*, log: bool = False) -> Iterator[None]:
    """Around worlds: without the product's log (tracebacks take longer than worlds), and reading what is installed only once."""
    before, entry_points = structlog.get_config(), plugins.entry_points
    plugins.entry_points = cache(entry_points)  # type: ignore[assignment]
    if not log:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(_CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
        plugins.entry_points = entry_points
