"""Networks as tenants see them: records of networks, subnets, ports, security groups and their rules."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One network. `kind` is its provider type: flat, or vxlan with its id as `segment`. `generation`: of what hosts are told."""

    id: str
    project_id: str
    name: str
    description: str
    admin_up: bool
    shared: bool
    external: bool
    is_default: bool
    port_security: bool
    mtu: int
    kind: str
    physical: str | None
    segment: int | None
    dns_domain: str
    zone_hints: tuple[str, ...]
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    revision: int = 1
    generation: int = 0


class Subnet(msgspec.Struct, frozen=True, kw_only=True):
    """One subnet; `pools` are (first, last) address pairs that ports are given from."""

    id: str
    network_id: str
    project_id: str
    name: str
    description: str
    ip_version: int
    cidr: str
    gateway: str | None
    dhcp: bool
    pools: tuple[tuple[str, str], ...]
    dns: tuple[str, ...]
    routes: tuple[tuple[str, str], ...]
    ipv6_ra_mode: str | None
    ipv6_address_mode: str | None
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    revision: int = 1


class FixedIp(msgspec.Struct, frozen=True):
    """One address of a port."""

    subnet_id: str
    address: str


class ServerForNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """What the networks need to know of a server that gets ports."""

    id: str
    project_id: str
    zone: str = "nova"
    host: str | None = None


class ServerAddress(msgspec.Struct, frozen=True):
    """One address of a server, as its `addresses` show it."""

    network: str
    address: str
    version: int
    mac: str


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """
    One port. `server_id` is the server whose interface it is, which only servers' own path writes; `device_id` and `device_owner`
    are text that is shown, and a client's own while no server has the port.

    `made_by_compute`: Kilonova made it for a server and deletes it with that; a user's own is only unbound.
    """

    id: str
    network_id: str
    project_id: str
    name: str
    description: str
    mac: str
    fixed_ips: tuple[FixedIp, ...]
    admin_up: bool
    status: str  # DOWN, ACTIVE, BUILD
    server_id: str | None
    device_id: str
    device_owner: str
    host: str | None
    port_security: bool
    security_groups: tuple[str, ...]
    allowed_pairs: tuple[tuple[str, str], ...]
    extra_dhcp_opts: tuple[tuple[str, str, int], ...]
    vnic_type: str
    binding_profile: dict[str, object]
    dns_name: str
    made_by_compute: bool
    tag: str | None  # device tag asked for at boot
    nic_order: int  # among a server's ports
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    revision: int = 1


class SecurityGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of rules; each project has one called `default`."""

    id: str
    project_id: str
    name: str
    description: str
    stateful: bool
    tags: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    revision: int = 1


class SecurityGroupRule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. Port bounds are inclusive; for ICMP they are type and code."""

    id: str
    group_id: str
    project_id: str
    description: str
    direction: str
    ethertype: str
    protocol: str | None
    port_min: int | None
    port_max: int | None
    remote_cidr: str | None
    remote_group: str | None
    created_at: datetime
    updated_at: datetime
    revision: int = 1
