"""
The hosts that a process serves: one real one, or any number of simulated ones.

Making a driver may take long (libvirtd is started, KVM is tried out) or fail (a package is missing), and the API should answer
meanwhile and say so. So it is done in a thread, and tried again until it works.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points

import structlog

from kilonova.agent.driver import Driver, HostSetup
from kilonova.agent.heartbeat import HeartbeatSender
from kilonova.agent.service import Agent, HostIdentity
from kilonova.domain.clock import Clock
from kilonova.domain.errors import Rejected
from kilonova.domain.host import HostFacts
from kilonova.rpc.bus import Bus
from kilonova.rpc.sealed_bus import OpeningBus
from kilonova.rpc.sealing import HostKey

ENTRY_POINTS = "kilonova.hypervisors"
_RETRY_S = 10.0
KeyOf = Callable[[HostSetup], HostKey]
_log = structlog.get_logger(__name__)


def driver_factory(name: str) -> Callable[[HostSetup], Driver]:
    """The function that makes drivers of this name. Raises Rejected, naming those there are."""
    found = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        raise Rejected(f"There is no hypervisor driver {name!r}.", next_step=f"Use one of: {', '.join(sorted(found))}.")
    factory: Callable[[HostSetup], Driver] = found[name].load()
    return factory


class LocalHosts:
    """
    Agents for these hosts, with drivers of one kind. `boot_id` is the machine's. `key_of` gives a host's own key, where its bus
    leads out of this process.
    """

    def __init__(  # noqa: PLR0917 - what it is made of
        self, kind: str, setups: Sequence[HostSetup], boot_id: str, bus: Bus, clock: Clock, key_of: KeyOf | None = None
    ) -> None:
        self._kind, self._setups, self._boot_id, self._bus, self._clock = kind, setups, boot_id, bus, clock
        self._key_of = key_of
        self._agents: list[Agent] = []
        self._heart: HeartbeatSender | None = None
        self._facts: HostFacts | None = None
        self._problem = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._bring_up, name="hosts", daemon=True)

    def start(self) -> None:
        """Bring them up, in the background."""
        self._problem = "starting"
        self._thread.start()

    def stop(self) -> None:
        """Let them go. Machines go on running."""
        self._stopping.set()
        self._thread.join()
        if self._heart is not None:
            self._heart.stop()
        for agent in self._agents:
            agent.stop()

    def problem(self) -> str:
        """Why they cannot all be commanded; empty when they can, and before the start."""
        if self._problem:
            return self._problem
        waiting = sum(not agent.has_joined for agent in self._agents)
        return f"the control plane has not answered {waiting} of {len(self._setups)} hosts yet" if waiting else ""

    def describe(self) -> dict[str, str]:
        """In words: the hypervisor, the accelerator and the state of the hosts."""
        facts = self._facts
        return {
            "hypervisor": self._kind,
            "accelerator": facts.accelerator if facts else "not known yet",
            "accelerator_why": facts.stats.get("accelerator_why", "") if facts else "",
            "hosts": f"{len(self._agents)} of {len(self._setups)} up",
            "hosts_problem": self.problem(),
        }

    def _bring_up(self) -> None:
        make = driver_factory(self._kind)
        waiting = list(self._setups)
        while waiting and not self._stopping.is_set():
            try:
                self._bring_up_one(waiting[0], make)
                waiting.pop(0)
            except Exception as error:  # noqa: BLE001 - whatever it is, it may be mended while we run
                _log.exception("a host could not be brought up; trying again soon", host=waiting[0].name)
                self._problem = str(error)
                self._stopping.wait(_RETRY_S)
        if not waiting:
            self._problem = ""
            self._heart = HeartbeatSender(tuple(setup.name for setup in self._setups), self._bus, self._clock)
            self._heart.start()

    def _bring_up_one(self, setup: HostSetup, make: Callable[[HostSetup], Driver]) -> None:
        driver = make(setup)
        self._facts = driver.hypervisor.facts()
        bus, public = self._bus, ""
        if self._key_of is not None:
            key = self._key_of(setup)
            bus, public = OpeningBus(bus, key), key.public
        identity = HostIdentity(setup.name, self._boot_id, public)
        agent = Agent(identity, driver, bus, self._clock, workers=driver.workers)
        agent.start()
        self._agents.append(agent)
