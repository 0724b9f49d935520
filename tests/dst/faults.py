"""
What strikes a world from outside: crashes, partitions, power cuts, clocks that jump.

Each is planned at a moment that chance picks while the faults last; what it breaks is mended a while later, or at the end. The
faults that are decided where they strike (a message lost, a transaction that fails) are `Odds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.dst.processes import HostProcess

if TYPE_CHECKING:
    from tests.dst.world import World

_WATCH_EVERY_S = 1.0


class Faults:
    """Strikes, and watches over processes as systemd does: what is down comes up again after a while."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._back_at: dict[str, float] = {}

    def plan(self, within_s: float) -> None:
        """Let each kind of this world's strikes happen a few times."""
        chance, events = self.world.chance, self.world.events
        for kind in self.world.odds.strikes:
            for _ in range(chance.pick((1, 2, 3))):
                events.after(chance.between(0.0, within_s), None, kind, getattr(self, f"_{kind}"))
        self._watch()

    def mend(self) -> None:
        """Everything is up, reachable and on time again."""
        world = self.world
        for process in world.processes:
            process.skew_s = 0.0
            self._reachable(process.name)
            if not process.is_up:
                process.start()

    def _crash(self) -> None:
        process = self.world.chance.pick([self.world.api, *self.world.conductors, *self.world.schedulers])
        self.world.chance.strike("crash", process.name)
        process.kill()

    def _agent(self) -> None:
        host = self.world.chance.pick(self.world.hosts)
        self.world.chance.strike("agent killed", host.name)
        host.kill()

    def _power(self) -> None:
        host = self.world.chance.pick(self.world.hosts)
        self.world.chance.strike("power cut", host.name)
        host.lose_power()

    def _cut(self) -> None:
        host, chance = self.world.chance.pick(self.world.hosts), self.world.chance
        chance.strike("cut off", host.name)
        self.world.transport.cut.add(host.name)
        self.world.events.after(chance.between(1.0, 150.0), None, "reachable", lambda: self._reachable(host.name))

    def _skew(self) -> None:
        chance = self.world.chance
        process = chance.pick(self.world.processes)
        process.skew_s = chance.between(-90.0, 90.0) if chance.happens(0.5) else chance.between(-3.0, 3.0)
        chance.strike("clock jumped", process.name, f"{process.skew_s:.3f}")

    def _reachable(self, name: str) -> None:
        self.world.transport.cut.discard(name)
        self.world.transport.flush(f"agent.{name}")

    def _watch(self) -> None:
        now_s = self.world.events.now_s
        for process in self.world.processes:
            if process.is_up:
                continue
            slow = 100.0 if isinstance(process, HostProcess) else 15.0
            back_at = self._back_at.setdefault(process.name, now_s + self.world.chance.between(0.0, slow))
            if back_at <= now_s:
                del self._back_at[process.name]
                process.start()
        self.world.events.after(_WATCH_EVERY_S, None, "watch", self._watch)
