"""Networks, subnets, ports with their addresses and groups, security groups with their rules."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)  # fmt: skip

from kilonova.store.tables.base import Name, Uuid, metadata
from kilonova.store.types import Instant, Json

_Pairs = Json(tuple[tuple[str, str], ...])
_Tags = Json(tuple[str, ...])

networks = Table(
    "networks", metadata,
    Column("id", Uuid, primary_key=True),
    Column("project_id", Name, nullable=False, index=True),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("admin_up", Boolean, nullable=False),
    Column("shared", Boolean, nullable=False),
    Column("external", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("port_security", Boolean, nullable=False),
    Column("mtu", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("physical", Name),
    Column("segment", Integer),
    Column("dns_domain", Name, nullable=False),
    Column("zone_hints", _Tags, nullable=False),
    Column("tags", _Tags, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # Raised when hosts are told of a change of it; of two states that a host is told, the higher is newer.
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("generation_at", Instant),
)  # fmt: skip

# No two networks share a VXLAN id, however many requests look for a free one at once.
Index(
    "uq_networks_segment", networks.c.kind, networks.c.segment, unique=True,
    sqlite_where=networks.c.segment.is_not(None), postgresql_where=networks.c.segment.is_not(None),
)  # fmt: skip

subnets = Table(
    "subnets", metadata,
    Column("id", Uuid, primary_key=True),
    Column("network_id", Uuid, ForeignKey("networks.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", Name, nullable=False, index=True),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String(64), nullable=False),
    Column("gateway", String(64)),
    Column("dhcp", Boolean, nullable=False),
    Column("pools", _Pairs, nullable=False),
    Column("dns", _Tags, nullable=False),
    Column("routes", _Pairs, nullable=False),
    Column("ipv6_ra_mode", String(32)),
    Column("ipv6_address_mode", String(32)),
    Column("tags", _Tags, nullable=False),
    # Where the search for a free address goes on: the last one given, as a 16-byte big-endian number. A hint, not a claim.
    Column("cursor", LargeBinary(16)),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)  # fmt: skip

ports = Table(
    "ports", metadata,
    Column("id", Uuid, primary_key=True),
    Column("network_id", Uuid, ForeignKey("networks.id"), nullable=False),
    Column("project_id", Name, nullable=False, index=True),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("mac", String(17), nullable=False),
    Column("admin_up", Boolean, nullable=False),
    Column("status", String(16), nullable=False),
    Column("device_id", Name, nullable=False, index=True),
    Column("device_owner", Name, nullable=False),
    Column("host", Name, index=True),
    Column("port_security", Boolean, nullable=False),
    Column("allowed_pairs", _Pairs, nullable=False),
    Column("extra_dhcp_opts", Json(tuple[tuple[str, str, int], ...]), nullable=False),
    Column("vnic_type", String(32), nullable=False),
    Column("binding_profile", Json(dict[str, object]), nullable=False),
    Column("dns_name", Name, nullable=False),
    Column("made_by_compute", Boolean, nullable=False),
    Column("tag", Name),
    Column("nic_order", Integer, nullable=False, server_default="0"),
    Column("tags", _Tags, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # The server whose interface it is: only servers' own path writes it. What clients write of a device is text, above.
    Column("server_id", Uuid, ForeignKey("servers.id"), index=True),
    UniqueConstraint("network_id", "mac"),
    Index("ix_ports_network_id_host", "network_id", "host"),
)  # fmt: skip

# A server's interfaces that Kilonova made are told apart by their order: making them twice is refused here too.
Index(
    "uq_ports_made", ports.c.server_id, ports.c.nic_order, unique=True,
    sqlite_where=ports.c.made_by_compute, postgresql_where=ports.c.made_by_compute,
)  # fmt: skip

# The ledger of addresses: the unique constraint is what makes it impossible to give one twice.
fixed_ips = Table(
    "fixed_ips", metadata,
    Column("subnet_id", Uuid, ForeignKey("subnets.id"), primary_key=True),
    Column("address", String(64), primary_key=True),
    Column("port_id", Uuid, ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False, server_default="0"),
    Index("ix_fixed_ips_address", "address"),
)  # fmt: skip

port_groups = Table(
    "port_security_groups", metadata,
    Column("port_id", Uuid, ForeignKey("ports.id", ondelete="CASCADE"), primary_key=True),
    Column("group_id", Uuid, ForeignKey("security_groups.id"), primary_key=True),
    Index("ix_port_security_groups_group_id", "group_id"),
)  # fmt: skip

security_groups = Table(
    "security_groups", metadata,
    Column("id", Uuid, primary_key=True),
    Column("project_id", Name, nullable=False, index=True),
    Column("name", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("stateful", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("tags", _Tags, nullable=False),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # As a network's: which of two states that a host is told is newer.
    Column("generation", Integer, nullable=False, server_default="0"),
    Column("generation_at", Instant),
)  # fmt: skip
# One `default` a project, however many requests try to make the first at once.
Index(
    "uq_security_groups_default", security_groups.c.project_id, unique=True,
    sqlite_where=security_groups.c.is_default, postgresql_where=security_groups.c.is_default,
)  # fmt: skip

# What hosts must still be told: a log, written with each change and emptied by who tells them.
network_changes = Table(
    "network_changes", metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(8), nullable=False),  # of the thing: network, group, port
    Column("thing_id", Uuid, nullable=False),
    # Of a group a member's network and address, of a network a host that may share it or not; empty: the thing itself changed.
    Column("network_id", Uuid, nullable=False),
    Column("about", Name, nullable=False),
    Column("at", Instant, nullable=False),
)  # fmt: skip

security_group_rules = Table(
    "security_group_rules", metadata,
    Column("id", Uuid, primary_key=True),
    Column("group_id", Uuid, ForeignKey("security_groups.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("project_id", Name, nullable=False),
    Column("description", Text, nullable=False),
    Column("direction", String(8), nullable=False),
    Column("ethertype", String(8), nullable=False),
    Column("protocol", String(32)),
    Column("port_min", Integer),
    Column("port_max", Integer),
    Column("remote_cidr", String(64)),
    Column("remote_group", Uuid, ForeignKey("security_groups.id", ondelete="CASCADE"), index=True),
    Column("revision", Integer, nullable=False, server_default="0"),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    CheckConstraint("remote_cidr IS NULL OR remote_group IS NULL", name="one_remote"),
)  # fmt: skip
