"""
The devices and namespaces of a host's networks, flat ones and tunnelled ones, made and unmade in the order that is safe.

`place` is where a network is served: in the namespace of its gateway.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from kilonova.agent.network.devices import Bridges, devices, plan_switch
from kilonova.agent.network.firewall import ruleset
from kilonova.agent.network.gateways import Gateway, ensure_gateway, plan_gateway, remove_gateway, standing
from kilonova.agent.network.names import KINDS, bridge_of, tunnel_name
from kilonova.agent.network.namespaces import inside, namespaces, remove_namespace
from kilonova.agent.network.slots import Slots
from kilonova.agent.network.tunnels import Tunnel, Tunnels, check_underlay, plan_tunnel, tunnel_address
from kilonova.domain.hostnet import HostNetwork, NetworkSpec


class Fabric:
    """
    What this host's networks are made of. `tag` is in the names of its namespaces, `table` the name of its nftables tables,
    `tunnel_ip` the address that its tunnels end at (empty: that of the default route).
    """

    def __init__(self, tag: str, table: str, tunnel_ip: str) -> None:
        self._tag, self._table, self._tunnel_ip = tag, table, tunnel_ip
        self._bridges, self._tunnels = Bridges(), Tunnels()
        self._standing: dict[str, tuple[object, ...]] = {}  # by bridge, gateways that were seen right
        self._ruled: dict[str, str] = {}  # the rules that each gateway's namespace was given since it was made

    def tunnel_address(self) -> str:
        """Where the tunnels of other hosts reach this one; empty when nowhere."""
        return tunnel_address(self._tunnel_ip)

    def gateways(self, share: HostNetwork, slots: Slots) -> dict[str, Gateway]:
        """The gateways that `share` is to have, by bridge; `slots`: the number of each network."""
        return {one.bridge: plan_gateway(one, self._tag, slots[one.bridge]) for one in share.networks}

    def tunnels(self, share: HostNetwork) -> list[Tunnel]:
        """The tunnels that `share` is to have."""
        local = self.tunnel_address() if any(network.tunnels for network in share.networks) else ""
        planned = (plan_tunnel(network, local) for network in share.networks if network.is_tunnelled)
        return [tunnel for tunnel in planned if tunnel is not None]

    def check(self, tunnels: Sequence[Tunnel]) -> None:
        """Raise HostFailure when this host cannot carry these."""
        for tunnel in tunnels:
            check_underlay(tunnel)

    def ensure(self, network: NetworkSpec, gateway: Gateway) -> bool:
        """Make its bridge and gateway; whether the place where it is served is a new one."""
        self._bridges.ensure(plan_switch(network))
        if self._standing.get(network.bridge) == standing(gateway):
            return False
        is_new = ensure_gateway(gateway)
        if is_new:
            self._ruled.pop(gateway.namespace, None)
        self._standing[network.bridge] = standing(gateway)
        return is_new

    @contextmanager
    def place(self, network: NetworkSpec) -> Iterator[None]:
        """Be where the network is served."""
        with inside(self._namespace(network.bridge)):
            yield

    def rule(self, network: NetworkSpec, listener: int) -> None:
        """Have the rules of the network's gateway in force; `listener` is the port of its metadata service."""
        text = ruleset.plan_gateway_rules(network, self._table)
        text += ruleset.plan_metadata({network.bridge: listener}, self._table)
        name = self._namespace(network.bridge)
        if self._ruled.get(name) != text:
            with self.place(network):
                ruleset.apply(text)
            self._ruled[name] = text

    def converge_tunnels(self, wanted: Sequence[Tunnel]) -> None:
        """Have exactly these. After the firewall, which keeps each host's own gateway out of them."""
        names = {tunnel.name for tunnel in wanted}
        for name in devices("knx"):
            if name not in names and bridge_of(name) in self._bridges.known():
                self._tunnels.remove(name)
        for tunnel in wanted:
            self._tunnels.ensure(tunnel)

    def remove(self, bridge: str) -> None:
        """Make nothing of the network exist."""
        self._tunnels.remove(tunnel_name(bridge))
        self._ruled.pop(self._namespace(bridge), None)
        self._standing.pop(bridge, None)
        remove_gateway(self._namespace(bridge), bridge)
        self._bridges.remove(bridge)

    def purge(self) -> None:
        """Remove the namespaces that no network's record led to."""
        for name in namespaces(f"-{self._tag}"):
            remove_namespace(name)

    def orphans(self, share: HostNetwork) -> dict[str, list[str]]:
        """Tunnels, cables and namespaces that nothing in `share` owns."""
        bridges = {network.bridge for network in share.networks}
        expected = {self._namespace(bridge) for bridge in bridges}
        cables = [name for kind in KINDS for name in devices(kind) if bridge_of(name) not in bridges]
        return {
            "tunnels": cables,
            "namespaces": [name for name in namespaces(f"-{self._tag}") if name not in expected],
        }

    def _namespace(self, bridge: str) -> str:
        return f"{bridge}-{self._tag}"
