"""Ports that a client says are a server's: none of what asks for a server's ports finds them, on either engine."""

from __future__ import annotations

import pytest

from kilonova.domain.boot import NicRequest
from kilonova.domain.context import RequestContext
from kilonova.network import allocate
from kilonova.store.queries import audit, ports, servers, tunnels
from kilonova.store.queries.keyset import Keyset
from kilonova.store.queries.server_filters import ServerFilter
from tests.component.network.conftest import NOW, World

EVERYONE = RequestContext.internal("test")


@pytest.mark.parametrize(
    "device_owner",
    ["compute:nova", "Compute:nova", "COMPUTE:", "compute:%", "comput_:nova", "", "network:dhcp", " compute:x"],
)
def test_a_port_is_a_servers_by_the_column_that_only_the_server_sets(world: World, device_owner: str) -> None:
    victim = world.server()
    with world.database.write() as tx:
        network = world.network(tx)
        world.subnet(tx, network, "10.0.0.0/24", ("10.0.0.2", "10.0.0.254"))
        bait = world.network(tx, project_id="p2")
        world.subnet(tx, bait, "10.9.0.0/24", ("10.9.0.2", "10.9.0.254"))
        (own,) = world.allocator(tx).allocate(victim, [NicRequest(network_id=network.id)], [])
        planted = world.port(tx, bait, project_id="p2")
        ports.change(tx, planted.id, {"device_id": victim.id, "device_owner": device_owner, "nic_order": -1}, NOW)
        allocate.AddressBook(tx, [bait.id]).give_any(bait.id, planted.id)
    with world.database.write() as tx:
        assert [port.id for port in ports.of_server(tx, victim.id)] == [own.id]
        assert [one.address for one in ports.addresses(tx, [victim.id])[victim.id]] == ["10.0.0.2"]
        assert ports.group_names(tx, [victim.id]) == {victim.id: []}
        assert tunnels.touched(tx, victim.id) == set()
        assert audit.ports_without_server(tx) == []
        for pattern in ("10.9.0", r"10\.9"):
            assert servers.page_of(tx, EVERYONE, ServerFilter(ip=pattern), Keyset()) == []
        allocate.bind(tx, victim.id, "h2", NOW)
        allocate.activate(tx, victim.id, NOW)
        left = ports.find(tx, EVERYONE, planted.id)
        assert left is not None
        assert (left.host, left.status, left.server_id) == (None, "DOWN", None)
        assert [port.id for port in ports.on_host(tx, "h2")] == [own.id]
        allocate.release(tx, victim.id, NOW)
        assert ports.find(tx, EVERYONE, own.id) is None
        assert ports.find(tx, EVERYONE, planted.id) == left
