from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kilonova.agent.driver import HostSetup
from kilonova.agent.local import LocalHosts
from kilonova.rpc.inprocess import InProcessBus
from kilonova.rpc.messages import HostStarted, HostState, Message, Ok
from tests.waiting import wait_until
from tests.world.clock import ManualClock


class NoImages:
    """No host here fetches any."""

    def read(self, image_id: str) -> Iterator[bytes]:
        raise NotImplementedError


def local_hosts(folder: Path, clock: ManualClock, bus: InProcessBus) -> LocalHosts:
    setups = [
        HostSetup(name=name, data_dir=folder / name, images=NoImages(), clock=clock, options={"pace": "0"})
        for name in ("a", "b")
    ]
    return LocalHosts("sim", setups, "boot", bus, clock)


def test_hosts_say_that_the_control_plane_has_not_answered_until_it_has(tmp_path: Path) -> None:
    bus, clock = InProcessBus(), ManualClock()
    hosts = local_hosts(tmp_path, clock, bus)
    assert hosts.problem() == ""  # nothing is wrong with what was not begun
    hosts.start()
    try:
        wait_until(lambda: "2 of 2 hosts" in hosts.problem(), "both wait for the control plane")
        bus.serve("conductor", _welcome, workers=0)
        clock.advance(5)
        assert hosts.problem() == ""
    finally:
        hosts.stop()


def _welcome(message: Message) -> Message:
    return HostState() if isinstance(message, HostStarted) else Ok()
