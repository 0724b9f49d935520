"""What a cloud has before anybody asks: a network that every project may use, and a `default` security group a project."""

from __future__ import annotations

from datetime import datetime
from ipaddress import IPv4Network

import msgspec

from kilonova.domain.clock import Ids
from kilonova.domain.network import Network, SecurityGroup, SecurityGroupRule, Subnet
from kilonova.network import segments
from kilonova.network.networks import NetworkSettings
from kilonova.store.database import Tx
from kilonova.store.queries import networks, security_groups, subnets
from kilonova.store.queries.security_groups import DEFAULT


class DefaultNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """How the default network is made; `dns` are the servers its guests are told of; `carried` says of what kind it is."""

    name: str = "private"
    cidr: str = "10.0.0.0/16"
    dns: tuple[str, ...] = ()
    carried: NetworkSettings = NetworkSettings()


def ensure_default(tx: Tx, wanted: DefaultNetwork, project_id: str, *, ids: Ids, now: datetime) -> Network:
    """The default network; made with its subnet for a project when there is none. Shared, with DHCP, behind NAT."""
    if (found := networks.default(tx)) is not None:
        return found
    kind = wanted.carried.kind
    blank = Network(
        id=ids.uuid(), project_id=project_id, name=wanted.name, description="Everybody's default network",
        admin_up=True, shared=True, external=False, is_default=True, port_security=True, mtu=wanted.carried.mtu_of(kind),
        kind=kind, physical=None, segment=None, dns_domain="", zone_hints=(), tags=(), created_at=now, updated_at=now,
    )  # fmt: skip
    network = segments.create(tx, blank, wanted.carried.vnis)
    hosts = IPv4Network(wanted.cidr)
    subnet = Subnet(
        id=ids.uuid(), network_id=network.id, project_id=project_id, name=f"{wanted.name}-subnet", description="",
        ip_version=4, cidr=str(hosts), gateway=str(hosts[1]), dhcp=True, pools=((str(hosts[2]), str(hosts[-2])),),
        dns=wanted.dns, routes=(), ipv6_ra_mode=None, ipv6_address_mode=None, tags=(), created_at=now, updated_at=now,
    )  # fmt: skip
    subnets.create(tx, subnet)
    return network


def ensure_default_group(tx: Tx, project_id: str, *, ids: Ids, now: datetime) -> SecurityGroup:
    """A project's `default` group; made, with its four rules, when there is none."""
    while not (found := security_groups.named(tx, project_id, [DEFAULT])):
        group = SecurityGroup(
            id=ids.uuid(), project_id=project_id, name=DEFAULT, description="Default security group", stateful=True,
            tags=(), created_at=now, updated_at=now,
        )  # fmt: skip
        if security_groups.create(tx, group):
            security_groups.create_rules(tx, first_rules(group, ids, now))
    return found[0]


def first_rules(group: SecurityGroup, ids: Ids, now: datetime) -> list[SecurityGroupRule]:
    """What a new group lets through: everything out; a `default` also lets its own members in."""
    ways = [("egress", None)] + ([("ingress", group.id)] if group.name == DEFAULT else [])
    return [
        SecurityGroupRule(
            id=ids.uuid(), group_id=group.id, project_id=group.project_id, description="", direction=direction,
            ethertype=ethertype, protocol=None, port_min=None, port_max=None, remote_cidr=None, remote_group=remote,
            created_at=now, updated_at=now,
        )
        for direction, remote in ways
        for ethertype in ("IPv4", "IPv6")
    ]  # fmt: skip
