"""
A host's share of the networks, and the arithmetic on it: merge, change, take away. Pure.

Messages about it may be lost, doubled and overtake each other. So of a network or group the higher generation is kept, whoever
told it last; a change is taken as the step that it is, from the generation before, and where that is not the one at hand the
whole must be asked for. `held` is what the control plane compares with its records: it finds what was missed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from msgspec.structs import replace

from kilonova.domain.hostnet import OUTLINE, GroupSpec, HeldNetworks, HostNetwork, NetworkSpec, PortSpec, ShareChange

Spec = TypeVar("Spec", NetworkSpec, GroupSpec)
Addresses = dict[str, tuple[str, ...]]


def held(share: HostNetwork) -> HeldNetworks:
    """The generation of each network and group that this host is to have; OUTLINE where it does not know it in full."""
    return HeldNetworks(generations=_generations(share), reach=share.reach.digest if share.reach else "")


def merged(share: HostNetwork, part: HostNetwork) -> HostNetwork:
    """
    `share` with `part`'s ports in place of those of the same id, and its networks and groups unless it knows newer ones.

    A part may leave out groups that this host has.
    """
    ports = {port.id: port for port in (*share.ports, *part.ports)}
    return tidied(
        HostNetwork(
            networks=_newest(share.networks, part.networks),
            ports=tuple(ports.values()),
            groups=_newest(share.groups, part.groups),
            reach=part.reach or share.reach,
        )
    )


def replaced(share: HostNetwork, state: HostNetwork) -> HostNetwork:
    """`state` in the place of `share`; what guests may reach stays as it is while nobody says otherwise."""
    return tidied(replace(state, reach=state.reach or share.reach))


def updated(share: HostNetwork, part: HostNetwork) -> HostNetwork:
    """
    `share` with what it has of `part` in its newer form.

    A change may arrive after the server that it was about has gone: it must not bring its port or network back.
    """
    networks, ports = {one.id for one in share.networks}, {one.id for one in share.ports}
    known = HostNetwork(
        networks=tuple(one for one in part.networks if one.id in networks),
        ports=tuple(one for one in part.ports if one.id in ports),
        groups=part.groups,
        reach=part.reach,
    )
    return merged(share, known)


def changed(share: HostNetwork, change: ShareChange) -> HostNetwork | None:
    """`share` one step on; as it is when the step was made before; None when it is not the next one, and steps are missing."""
    before = _generations(share).get(change.id)
    if before is None or before >= change.generation:
        return share
    if change.network is not None:
        return updated(share, HostNetwork(networks=(change.network,)))
    if before + 1 != change.generation:
        return None
    networks = tuple(_stepped(one, change) if one.id == change.id else one for one in share.networks)
    groups = tuple(_regrouped(one, change) if one.id == change.id else one for one in share.groups)
    return tidied(replace(share, networks=networks, groups=groups))


def only_of(share: HostNetwork, server_ids: Collection[str]) -> HostNetwork:
    """
    `share` with the ports of these servers alone, and the networks that they are on.

    The records may still have ports here of a server that is gone or has yet to come: it brings its own along.
    """
    ports = tuple(port for port in share.ports if port.server_id in server_ids)
    on = {port.network_id for port in ports}
    networks = tuple(network for network in share.networks if network.id in on)
    return tidied(replace(share, networks=networks, ports=ports))


def without_server(share: HostNetwork, server_id: str) -> HostNetwork:
    """
    `share` without the server's ports, and without the networks and groups that they were the last of.

    Its addresses stay members of its groups until that is told: it may have gone to another host with them.
    """
    gone = [port for port in share.ports if port.server_id == server_id]
    ports = tuple(port for port in share.ports if port.server_id != server_id)
    left_alone = {port.network_id for port in gone} - {port.network_id for port in ports}
    networks = tuple(network for network in share.networks if network.id not in left_alone)
    return tidied(replace(share, networks=networks, ports=ports))


def tidied(share: HostNetwork) -> HostNetwork:
    """In a fixed order, without groups that no port of this host has or is let through by."""
    needed = _needed(share)
    return HostNetwork(
        networks=tuple(sorted(share.networks, key=lambda network: network.id)),
        ports=tuple(sorted(share.ports, key=lambda port: port.id)),
        groups=tuple(sorted((group for group in share.groups if group.id in needed), key=lambda group: group.id)),
        reach=share.reach,
    )


def members(share: HostNetwork) -> dict[tuple[str, str], tuple[str, ...]]:
    """
    The addresses of each (group, network)'s members: as told, and those of the ports on this host.

    Two boots at the same time are each told the members of their own moment; the ports here are known for sure.
    """
    told = {(group.id, on): set(addresses) for group in share.groups for on, addresses in group.members_on.items()}
    for port in share.ports:
        for group_id in port.groups:
            told.setdefault((group_id, port.network_id), set()).update(port.addresses)
    return {key: tuple(sorted(addresses)) for key, addresses in told.items()}


def servers_by_address(share: HostNetwork) -> dict[tuple[str, str], str]:
    """The server behind each (network id, address)."""
    return {(port.network_id, address): port.server_id for port in share.ports for address in port.addresses}


def ports_on(share: HostNetwork, network_id: str) -> tuple[PortSpec, ...]:
    """The network's ports on this host."""
    return tuple(port for port in share.ports if port.network_id == network_id)


def ports_down(share: HostNetwork) -> list[PortSpec]:
    """The ports that neither send nor receive: they are down, or their network is."""
    down = {network.id for network in share.networks if not network.admin_up}
    return [port for port in share.ports if not port.admin_up or port.network_id in down]


def _generations(share: HostNetwork) -> dict[str, int]:
    known = {group.id: group.generation for group in share.groups}
    return {network.id: network.generation for network in share.networks} | {
        group_id: known.get(group_id, OUTLINE) for group_id in _needed(share)
    }


def _needed(share: HostNetwork) -> set[str]:
    """The groups that ports here are in, and those that the rules of these name."""
    own = {group_id for port in share.ports for group_id in port.groups}
    return own | {
        rule.remote_group for group in share.groups if group.id in own for rule in group.rules if rule.remote_group
    }


def _newest(known: Iterable[Spec], told: Iterable[Spec]) -> tuple[Spec, ...]:
    found = {one.id: one for one in known}
    for one in told:
        if one.id not in found or one.generation >= found[one.id].generation:
            found[one.id] = one
    return tuple(found.values())


def _stepped(network: NetworkSpec, change: ShareChange) -> NetworkSpec:
    ends = _added_up({network.id: network.tunnels}, change.come, change.gone)
    return replace(network, tunnels=ends.get(network.id, ()), generation=change.generation)


def _regrouped(group: GroupSpec, change: ShareChange) -> GroupSpec:
    rules = group.rules if change.rules is None else change.rules
    addresses = _added_up(group.members_on, change.come, change.gone)
    return replace(group, rules=rules, members_on=addresses, generation=change.generation)


def _added_up(before: Addresses, come: Addresses, gone: Addresses) -> Addresses:
    """What there is after these have come and gone; networks without any are left out."""
    after = dict(before)
    for on in {**come, **gone}:
        addresses = (set(before.get(on, ())) | set(come.get(on, ()))) - set(gone.get(on, ()))
        after[on] = tuple(sorted(addresses))
    return {on: addresses for on, addresses in after.items() if addresses}
