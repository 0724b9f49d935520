"""A host's networking seen from its guests: addresses, names, metadata, the outside."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import msgspec

from kilonova.agent.network.devices import service_address
from kilonova.agent.network.host import LinuxHostNetwork
from kilonova.agent.network.inspection import forward_blockers
from tests.netparts import network, port, share
from tests.system.netlab import (
    BUSYBOX,
    Lab,
    Plug,
    run,
)

METADATA = "169.254.169.254"


def test_a_guest_gets_the_address_of_the_records(lab: Lab, host: LinuxHostNetwork, tmp_path: Path) -> None:
    host.merge(share(port(5, "default")))
    assert lab.guest(port(5)).lease(tmp_path) == {
        "ip": "10.77.1.5",
        "mask": "24",
        "router": "10.77.1.1",
        "dns": "10.77.1.1",
        "hostname": "guest5",
        "mtu": "1450",
        "routes": "169.254.169.254/32 10.77.1.1 0.0.0.0/0 10.77.1.1",
    }


def test_dhcp_works_whatever_the_agents_umask_is(lab: Lab, host: LinuxHostNetwork, tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        host.merge(share(port(5, "default")))
    finally:
        os.umask(before)
    assert lab.guest(port(5)).lease(tmp_path)["ip"] == "10.77.1.5"


def test_a_guest_is_told_its_own_options_and_broken_ones_harm_nobody(
    lab: Lab, host: LinuxHostNetwork, tmp_path: Path
) -> None:
    host.merge(share(port(5, "default")))
    host.merge(share(port(6, "default", dhcp_options=(("mtu", "1400", 4), ("nonsense", "x", 4)))))
    assert lab.guest(port(6)).lease(tmp_path)["mtu"] == "1400"
    assert lab.guest(port(5)).lease(tmp_path)["mtu"] == "1450"


def test_a_subnet_without_a_gateway_has_dhcp_and_metadata(lab: Lab, host: LinuxHostNetwork, tmp_path: Path) -> None:
    lonely = [network(n, subnets=(msgspec.structs.replace(network(n).subnets[0], gateway=None),)) for n in (1, 2)]
    ports = (port(5, "default"), port(5, "default", net=2))
    host.merge(msgspec.structs.replace(share(*ports), networks=tuple(lonely)))
    for one in ports:
        guest = lab.guest(one)
        lease = guest.lease(tmp_path)
        assert (lease["ip"], lease["router"]) == (guest.address, "")
        own = service_address(one.network_id)
        assert lease["routes"] == f"{own}/32 0.0.0.0 169.254.169.254/32 {own}"
        assert guest.get(METADATA, "/latest/meta-data/hostname") == (200, f"{one.server_id}.novalocal".encode())


def test_an_address_is_given_to_the_next_port_that_has_it(lab: Lab, host: LinuxHostNetwork, tmp_path: Path) -> None:
    host.merge(share(port(5, "default"), port(6, "default")))
    lab.guest(port(5)).lease(tmp_path)
    host.remove_server("server1-5")
    again = port(5, "default", id="p1-next", mac="02:00:00:00:99:99", hostname="next")
    host.merge(share(again))
    assert lab.guest(again).lease(tmp_path)["ip"] == "10.77.1.5"


def test_names_of_guests_resolve(plug: Plug) -> None:
    one, _ = plug(port(5, "default"), port(6, "default"))
    assert "10.77.1.6" in one.run(str(BUSYBOX), "nslookup", "guest6", "10.77.1.1")


def test_guests_reach_nothing_of_the_host_but_its_services(lab: Lab, plug: Plug) -> None:
    lab.outside()
    (guest,) = plug(port(5, "default"))
    with lab.host.listen(8000):
        assert not guest.reaches("10.77.1.1", 8000)
        assert not guest.reaches("198.51.100.1", 8000)
    assert guest.pings("10.77.1.1")
    assert not guest.pings("198.51.100.1")


def test_guests_reach_the_outside_in_the_hosts_name(lab: Lab, plug: Plug) -> None:
    outside = lab.outside()
    (guest,) = plug(port(5, "default"))
    with outside.listen(80) as listener, guest.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(("198.51.100.2", 80))
        connection, (peer, _) = listener.accept()
        connection.close()
    assert peer == "198.51.100.1"


def test_a_network_without_nat_has_no_way_out(lab: Lab, host: LinuxHostNetwork, plug: Plug) -> None:
    outside = lab.outside()
    (guest,) = plug(port(5, "default"))
    state = share(port(5, "default"))
    host.replace(msgspec.structs.replace(state, networks=(network(nat=False),)))
    with outside.listen(80):
        assert not guest.reaches("198.51.100.2", 80)


def test_metadata_goes_to_whom_it_is_about(plug: Plug) -> None:
    one, other = plug(port(5, "default"), port(6, "default"))
    for guest in (one, other):
        status, body = guest.get(METADATA, "/openstack/latest/meta_data.json")
        assert (status, json.loads(body)["uuid"]) == (200, guest.port.server_id)
    assert one.get(METADATA, "/latest/meta-data/hostname") == (200, b"server1-5.novalocal")
    assert one.get(METADATA, "/latest/nonsense")[0] == 404


def test_a_silent_port_has_metadata_too(plug: Plug) -> None:
    (guest,) = plug(port(5))
    assert guest.get(METADATA, "/latest/meta-data/hostname")[0] == 200


def test_a_stranger_gets_no_metadata(lab: Lab, host: LinuxHostNetwork) -> None:
    free = port(5, "open", port_security=False)
    host.merge(share(free))
    stranger = lab.guest(msgspec.structs.replace(free, addresses=("10.77.1.99",)))
    stranger.configure()
    assert stranger.get(METADATA, "/latest/meta-data/hostname")[0] == 404


def test_a_guest_gives_its_password_once(plug: Plug, passwords: list[tuple[str, bytes]]) -> None:
    one, other = plug(port(5, "default"), port(6, "default"))
    path = "/openstack/latest/password"
    assert one.get(METADATA, path) == (200, b"")
    assert one.get(METADATA, path, b"c2VjcmV0")[0] == 200
    assert one.get(METADATA, path, b"again")[0] == 409
    assert one.get(METADATA, path) == (200, b"c2VjcmV0")
    assert other.get(METADATA, path) == (200, b"")
    assert passwords == [("server1-5", b"c2VjcmV0")]


def test_what_drops_guests_packets_is_named(lab: Lab) -> None:
    assert forward_blockers() == []
    run("nft", "add table ip filter")
    run("nft", "add chain ip filter FORWARD { type filter hook forward priority 0 ; policy drop ; }")
    assert forward_blockers() == ["chain FORWARD of table ip filter drops forwarded packets by default"]
