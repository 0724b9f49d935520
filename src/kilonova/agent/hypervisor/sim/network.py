"""The networks of a host that only pretends: it keeps count of its share, as a real one does, and makes nothing of it."""

from __future__ import annotations

import threading

from msgspec.structs import replace

from kilonova.agent import host_network_state as states
from kilonova.domain.hostnet import HeldNetworks, HostNetwork, ShareChange


class SimNetwork:
    """Which networks and groups it has, and in which generation; with `keeps_addresses` who is in them, too. Thread-safe."""

    def __init__(self, *, keeps_addresses: bool) -> None:
        self._keeps_addresses = keeps_addresses
        self._lock = threading.Lock()
        self.share = HostNetwork()

    def replace(self, state: HostNetwork) -> None:
        """The whole is this."""
        with self._lock:
            self.share = states.replaced(self.share, self._kept(state))

    def merge(self, part: HostNetwork) -> None:
        """This comes, or is newer."""
        with self._lock:
            self.share = states.merged(self.share, self._kept(part))

    def update(self, part: HostNetwork) -> None:
        """What is here of this is newer."""
        with self._lock:
            self.share = states.updated(self.share, self._kept(part))

    def change(self, change: ShareChange) -> bool:
        """One step of a network or group. False when it is not the next."""
        if not self._keeps_addresses:
            change = replace(change, come={}, gone={})
        with self._lock:
            changed = states.changed(self.share, change)
            self.share = self.share if changed is None else changed
        return changed is not None

    def remove_server(self, server_id: str) -> None:
        """Its ports go, and the networks and groups that they were the last of."""
        with self._lock:
            self.share = states.without_server(self.share, server_id)

    def held(self) -> HeldNetworks:
        """As the port says."""
        return states.held(self.share)

    def tend(self) -> None:
        """No machine, no rules."""

    def _kept(self, state: HostNetwork) -> HostNetwork:
        if self._keeps_addresses:
            return state
        return HostNetwork(
            networks=tuple(replace(network, tunnels=()) for network in state.networks),
            ports=state.ports,
            groups=tuple(replace(group, members_on={}) for group in state.groups),
            reach=state.reach,
        )
