"""
What a request for servers asks of the networks, checked before anything is promised and turned into plain interfaces.

The rules are Nova's. Nothing asked: the one network the project could mean, and a refusal when it could mean several. `auto`: the
same, but the default network settles it. Refusals come in the order a user would look for them: existence, right, shape, address.
What is checked here can change before the boot gets to it; `allocate` then fails in the server's fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from kilonova.domain.addresses import ip_address, ip_network
from kilonova.domain.boot import NicRequest
from kilonova.domain.clock import Clock, Ids
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Denied, Rejected
from kilonova.domain.network import Network, Port, SecurityGroup, Subnet
from kilonova.network import quotas
from kilonova.network.addressing import is_reserved
from kilonova.network.defaults import DefaultNetwork, ensure_default, ensure_default_group
from kilonova.network.errors import NetworkAmbiguous, PortInUse
from kilonova.store.database import Tx
from kilonova.store.queries import networks, ports, security_groups, subnets
from kilonova.store.queries.security_groups import DEFAULT

Wanted = tuple[NicRequest, ...] | Literal["auto", "none"] | None


class ResolvedNics(msgspec.Struct, frozen=True, kw_only=True):
    """One server's interfaces, and the ids of the groups for ports that are made for it."""

    nics: tuple[NicRequest, ...]
    group_ids: tuple[str, ...]


class NicResolver:
    """Resolves requests; `defaults` is the network that `auto` makes when a project has none to use."""

    def __init__(self, clock: Clock, ids: Ids, defaults: DefaultNetwork) -> None:
        self._clock, self._ids, self._defaults = clock, ids, defaults

    def resolve(
        self, tx: Tx, ctx: RequestContext, wanted: Wanted, count: int, security_groups: tuple[str, ...]
    ) -> ResolvedNics:
        """
        The interfaces of each of `count` servers. `security_groups` are names or ids; none means `default`.

        Raises Rejected (400), Denied (403: an external network), OverQuota (403), and for what is ambiguous or in use
        NetworkAmbiguous and PortInUse (409).
        """
        project_id = ctx.project_id
        if project_id is None:
            raise Rejected("A server belongs to a project: the token must be scoped to one.")
        nics = wanted if isinstance(wanted, tuple) else self._unnamed(tx, project_id, wanted)
        _check_unique(nics, count)
        _Checker(tx, ctx, nics).check()
        making = sum(1 for nic in nics if nic.port_id is None)
        quotas.check(tx, project_id, "port", making * count)
        return ResolvedNics(nics=nics, group_ids=self._groups(tx, project_id, security_groups))

    def _unnamed(self, tx: Tx, project_id: str, wanted: Literal["auto", "none"] | None) -> tuple[NicRequest, ...]:
        if wanted == "none":
            return ()
        available = [one for one in networks.available(tx, project_id) if one.admin_up]
        if wanted == "auto" and len(available) != 1:
            default = next((one for one in available if one.is_default), None)
            if default is None and not available:
                default = ensure_default(tx, self._defaults, project_id, ids=self._ids, now=self._clock.now())
            available = available if default is None else [default]
        if len(available) > 1:
            raise NetworkAmbiguous("Multiple possible networks found, use a Network ID to be more specific.")
        return tuple(NicRequest(network_id=one.id) for one in available)

    def _groups(self, tx: Tx, project_id: str, words: Sequence[str]) -> tuple[str, ...]:
        asked = tuple(dict.fromkeys(words)) or (DEFAULT,)
        if DEFAULT in asked:
            group = ensure_default_group(tx, project_id, ids=self._ids, now=self._clock.now())
            if len(asked) == 1:
                return (group.id,)
        found = security_groups.named(tx, project_id, asked)
        return tuple(dict.fromkeys(_group(found, word, project_id) for word in asked))


def _group(found: Sequence[SecurityGroup], word: str, project_id: str) -> str:
    if any(group.id == word for group in found):
        return word
    named = [group.id for group in found if group.name == word]
    if len(named) > 1:
        raise NetworkAmbiguous(f"Multiple security groups found matching '{word}'. Use an ID to be more specific.")
    if not named:
        raise Rejected(
            f"Security group {word} not found for project {project_id}.", next_step="See: openstack security group list"
        )
    return named[0]


def _check_unique(nics: Sequence[NicRequest], count: int) -> None:
    """What only one server can have cannot be asked for by several, or twice by one."""
    if count > 1 and any(nic.fixed_ip for nic in nics):
        raise Rejected("max_count cannot be greater than 1 if an fixed_ip is specified.")
    port_ids = [nic.port_id for nic in nics if nic.port_id is not None]
    if port_ids and count > 1:
        raise Rejected(
            "Unable to launch multiple instances with a single configured port ID. "
            "Please launch your instance one by one with different ports."
        )
    if len(set(port_ids)) < len(port_ids):
        raise Rejected("The same port is asked for twice; each interface needs a port of its own.")
    fixed = [(nic.network_id, nic.fixed_ip) for nic in nics if nic.fixed_ip]
    if len(set(fixed)) < len(fixed):
        raise Rejected("The same fixed IP is asked for twice.")


class _Checker:
    """The records that a request names, and whether each can be used as asked."""

    def __init__(self, tx: Tx, ctx: RequestContext, nics: Sequence[NicRequest]) -> None:
        self._tx, self._ctx, self._nics = tx, ctx, nics
        wanted = {nic.network_id for nic in nics if nic.network_id is not None}
        self._networks: dict[str, Network] = networks.seen(tx, ctx, wanted) if wanted else {}
        self._subnets: dict[str, list[Subnet]] = subnets.of_networks(tx, self._networks) if wanted else {}
        port_ids = [nic.port_id for nic in nics if nic.port_id is not None]
        self._ports: dict[str, Port] = ports.own(tx, ctx, port_ids) if port_ids else {}

    def check(self) -> None:
        """Raise for the first interface that cannot be."""
        for nic in self._nics:
            if nic.port_id is not None:
                self._check_port(nic.port_id)
            else:
                self._check_network(nic)

    def _check_port(self, port_id: str) -> None:
        port = self._ports.get(port_id)
        if port is None:
            raise Rejected(f"Port {port_id} could not be found.", next_step="See: openstack port list")
        if holder := port.server_id or port.device_id:
            raise PortInUse(port.id, holder)
        if not port.fixed_ips:
            raise Rejected(f"Port {port_id} requires a FixedIP in order to be used.")

    def _check_network(self, nic: NicRequest) -> None:
        network = self._networks.get(nic.network_id or "")
        if network is None:
            raise Rejected(f"Network {nic.network_id} could not be found.", next_step="See: openstack network list")
        if network.external and not (network.shared or self._ctx.is_admin):
            raise Denied(f"It is not allowed to create an interface on external network {network.id}")
        its = self._subnets[network.id]
        if not its:
            raise Rejected(
                f"Network {network.id} requires a subnet in order to boot instances on.",
                next_step=f"Make one: openstack subnet create --network {network.id} --subnet-range CIDR NAME",
            )
        if nic.fixed_ip is not None:
            self._check_address(network.id, its, nic.fixed_ip)

    def _check_address(self, network_id: str, its: Sequence[Subnet], wanted: str) -> None:
        try:
            address = ip_address(wanted)
        except ValueError as problem:
            raise Rejected(f"Fixed IP {wanted} is not a valid ip address for network {network_id}.") from problem
        subnet = next((one for one in its if address in ip_network(one.cidr)), None)
        if subnet is None or is_reserved(subnet, wanted):
            raise Rejected(f"Fixed IP {wanted} is not a valid ip address for network {network_id}.")
        if wanted == subnet.gateway or subnets.taken(self._tx, subnet.id, [str(address)]):
            raise Rejected(
                f"Fixed IP address {wanted} is already in use on instance or gateway of network {network_id}."
            )
