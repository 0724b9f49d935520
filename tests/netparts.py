"""Networks, ports and groups for the tests of a host's networking."""

from __future__ import annotations

from typing import Any

from kilonova.domain.hostnet import GroupSpec, HostNetwork, NetworkSpec, PortSpec, RuleSpec, SubnetSpec
from kilonova.domain.machine import GuestData


def network(number: int = 1, **changes: Any) -> NetworkSpec:
    subnet = SubnetSpec(
        id=f"s{number}", cidr=f"10.77.{number}.0/24", ip_version=4, gateway=f"10.77.{number}.1", dhcp=True
    )
    return NetworkSpec(
        **{"id": f"n{number}", "name": f"net{number}", "kind": "flat", "mtu": 1450, "subnets": (subnet,), **changes}
    )


def tunnelled(number: int = 1, *tunnels: str, range_of: int | None = None, **changes: Any) -> NetworkSpec:
    """A VXLAN network, with the subnet of another if that is said."""
    subnets = network(range_of or number).subnets
    return network(
        number, **{"kind": "vxlan", "segment": 100 + number, "tunnels": tunnels, "subnets": subnets, **changes}
    )


def port(number: int, *groups: str, net: int = 1, **changes: Any) -> PortSpec:
    values: dict[str, Any] = {
        "id": f"p{net}-{number}",
        "network_id": f"n{net}",
        "server_id": f"server{net}-{number}",
        "mac": f"02:00:00:00:{net:02x}:{number:02x}",
        "addresses": (f"10.77.{net}.{number}",),
        "groups": groups,
        "hostname": f"guest{number}",
    }
    return PortSpec(**{**values, **changes})


OUT = RuleSpec(id="out", direction="egress", ethertype="IPv4")
SSH = RuleSpec(id="ssh", direction="ingress", ethertype="IPv4", protocol="tcp", port_min=22, port_max=22)
FRIENDS = RuleSpec(id="friends", direction="ingress", ethertype="IPv4", remote_group="default")
DEFAULT = GroupSpec(id="default", rules=(OUT, FRIENDS))
WITH_SSH = GroupSpec(id="ssh", rules=(OUT, SSH))
OUT6 = RuleSpec(id="out6", direction="egress", ethertype="IPv6")
FRIENDS6 = RuleSpec(id="friends6", direction="ingress", ethertype="IPv6", remote_group="six")
SIX = GroupSpec(id="six", rules=(OUT6, FRIENDS6))
SUBNET6 = SubnetSpec(id="s6", cidr="fd00:77::/64", ip_version=6, gateway="fd00:77::1", dhcp=True)
OPEN = GroupSpec(id="open", rules=(OUT, RuleSpec(id="in", direction="ingress", ethertype="IPv4")))
CLOSED = GroupSpec(id="closed", rules=(OUT,))


def guest_data(server_id: str) -> GuestData:
    return GuestData(
        server_id=server_id,
        instance_name="instance-00000001",
        number=1,
        name=server_id,
        hostname=f"{server_id}.novalocal",
        project_id="p",
        availability_zone="nova",
        launch_index=0,
        reservation_id="r-1",
        instance_type="m1.tiny",
    )


def share(
    *ports: PortSpec,
    groups: tuple[GroupSpec, ...] = (DEFAULT, WITH_SSH, OPEN, CLOSED),
    networks: tuple[NetworkSpec, ...] | None = None,
) -> HostNetwork:
    """These ports on their networks, plain ones unless they are said."""
    numbers = sorted({int(p.network_id[1:]) for p in ports})
    plain = tuple(network(number) for number in numbers)
    return HostNetwork(networks=plain if networks is None else networks, ports=ports, groups=groups)
