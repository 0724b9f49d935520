"""A cloud's worth of network records, made without the API."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from kilonova.domain.boot import NicRequest
from kilonova.domain.clock import Ids
from kilonova.domain.network import Network, Port, SecurityGroup, SecurityGroupRule, ServerForNetwork, Subnet
from kilonova.domain.server import Server
from kilonova.network.allocate import Allocator
from kilonova.store.database import Database, Tx
from kilonova.store.queries import networks, security_groups, servers, subnets
from tests.component.store.test_servers import server

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class World:
    """Makes records in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ids = Ids(random.Random(7))
        self._numbers = itertools.count(1)
        self._unwritten: list[Server] = []

    def network(self, tx: Tx, *, project_id: str = "p1", shared: bool = False, external: bool = False) -> Network:
        made = Network(
            id=self.ids.uuid(), project_id=project_id, name="net", description="", admin_up=True, shared=shared,
            external=external, is_default=False, port_security=True, mtu=1500, kind="flat", physical=None, segment=None,
            dns_domain="", zone_hints=(), tags=(), created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        networks.create(tx, made)
        return made

    def subnet(
        self, tx: Tx, network: Network, cidr: str, *pools: tuple[str, str], gateway: str | None = None
    ) -> Subnet:
        made = Subnet(
            id=self.ids.uuid(), network_id=network.id, project_id=network.project_id, name="", description="",
            ip_version=6 if ":" in cidr else 4, cidr=cidr, gateway=gateway, dhcp=True, pools=pools, dns=("9.9.9.9",),
            routes=(), ipv6_ra_mode=None, ipv6_address_mode=None, tags=(), created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        subnets.create(tx, made)
        return made

    def server(self, *, host: str | None = "h1", project_id: str = "p1") -> ServerForNetwork:
        """A server; its record is written with the next thing that is allocated."""
        made = server(next(self._numbers), id=self.ids.uuid(), project_id=project_id, host=host)
        self._unwritten.append(made)
        return ServerForNetwork(id=made.id, project_id=project_id, host=host)

    def allocator(self, tx: Tx) -> Allocator:
        return _Allocator(tx, self)

    def write_servers(self, tx: Tx) -> None:
        """The records of the servers that have none yet."""
        unwritten, self._unwritten = self._unwritten, []
        if unwritten:
            servers.add(tx, unwritten)

    def group(self, tx: Tx, name: str) -> SecurityGroup:
        made = SecurityGroup(
            id=self.ids.uuid(), project_id="p1", name=name, description="", stateful=True, tags=(), created_at=NOW,
            updated_at=NOW,
        )  # fmt: skip
        security_groups.create(tx, made)
        return made

    def rule(
        self, tx: Tx, group: SecurityGroup, *, protocol: str | None = None, remote: SecurityGroup | None = None
    ) -> None:
        made = SecurityGroupRule(
            id=self.ids.uuid(), group_id=group.id, project_id="p1", description="", direction="ingress", ethertype="IPv4",
            protocol=protocol, port_min=None, port_max=None, remote_cidr=None,
            remote_group=None if remote is None else remote.id, created_at=NOW, updated_at=NOW,
        )  # fmt: skip
        security_groups.create_rules(tx, [made])

    def port(self, tx: Tx, network: Network, *, project_id: str = "p1") -> Port:
        """A user's own port, without an address."""
        return self.allocator(tx).write(
            Port(
                id=self.ids.uuid(), network_id=network.id, project_id=project_id, name="", description="",
                mac=f"fa:16:3e:00:00:{self.ids.uuid()[:2]}", fixed_ips=(), admin_up=True, status="DOWN", server_id=None,
                device_id="", device_owner="", host=None, port_security=True, security_groups=(), allowed_pairs=(),
                extra_dhcp_opts=(), vnic_type="normal", binding_profile={}, dns_name="", made_by_compute=False, tag=None,
                nic_order=0, tags=(), created_at=NOW, updated_at=NOW,
            )
        )  # fmt: skip


class _Allocator(Allocator):
    """Writes the records of servers that have none yet before their ports."""

    def __init__(self, tx: Tx, world: World) -> None:
        super().__init__(tx, world.ids, NOW)
        self._world = world

    def allocate(
        self, server: ServerForNetwork, nics: Sequence[NicRequest], group_ids: Sequence[str]
    ) -> tuple[Port, ...]:
        self._world.write_servers(self._tx)
        return super().allocate(server, nics, group_ids)


@pytest.fixture
def world(database: Database) -> World:
    return World(database)
