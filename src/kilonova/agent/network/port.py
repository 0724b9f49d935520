"""The ports to the host's networking: the agent's, and a driver's."""

from __future__ import annotations

from typing import Protocol

from kilonova.domain.hostnet import HeldNetworks, HostNetwork, ShareChange


class NetworkState(Protocol):
    """The host's share of the networks, as the agent keeps it up to date. Thread-safe; each method may be called at any time."""

    def replace(self, state: HostNetwork) -> None:
        """Make the host's share exactly this."""

    def update(self, part: HostNetwork) -> None:
        """Bring up to date what the host has of these networks, ports and groups; none comes that was not there."""

    def change(self, change: ShareChange) -> bool:
        """Take one step in a network or group that is here. False when it is not the next: the whole must be asked for."""

    def held(self) -> HeldNetworks:
        """The generation of each network and group that this host is to have, and what of it guests may reach."""

    def tend(self) -> None:
        """Look again at what of the machine the rules depend on: its own routes and name servers. Cheap when nothing changed."""


class HostNetworking(NetworkState, Protocol):
    """The same, with what a driver asks for its machines."""

    def merge(self, part: HostNetwork) -> None:
        """Make these networks, ports and groups exist as said, and leave the others alone. Returns when a guest may start."""

    def remove_server(self, server_id: str) -> None:
        """Make the server's ports, rules and DHCP entries not exist, and its networks too when they were the last there."""

    def tunnel_address(self) -> str:
        """The address that other hosts' tunnels reach this one at; empty when there is none."""

    def addresses(self) -> tuple[str, ...]:
        """All addresses of the host's own: no guest's to reach, on whichever host it is."""

    def audit(self) -> dict[str, list[str]]:
        """What of ours is on the host and belongs to nothing, by kind: taps, bridges, rules, dhcp, tunnels, namespaces."""

    def close(self) -> None:
        """Stop serving metadata. Bridges, DHCP and rules stay, so that guests go on."""

    def purge(self) -> None:
        """Leave nothing of ours on this host: no device, no namespace, no DHCP, no table, no state file."""
