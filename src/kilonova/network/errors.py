"""What the Network API refuses, named as Neutron's clients know it: the class name is the `type` on the wire."""

from __future__ import annotations

from kilonova.domain.errors import Conflict, InvalidField, Rejected


class InvalidInput(InvalidField):
    """400: a value that the service cannot do."""

    code = "network.invalid_input"


class NetworkInUse(Conflict):
    """409: the network still has ports."""

    code = "network.network_in_use"

    def __init__(self, network_id: str) -> None:
        super().__init__(
            f"Unable to complete operation on network {network_id}. There are one or more ports still in use on the network.",
            next_step=f"See them with: openstack port list --network {network_id}",
        )


class SubnetInUse(Conflict):
    """409: ports still have addresses of the subnet."""

    code = "network.subnet_in_use"

    def __init__(self, subnet_id: str, why: str = "One or more ports have an IP allocation from this subnet.") -> None:
        super().__init__(f"Unable to complete operation on subnet {subnet_id}: {why}")


class GatewayIpInUse(Conflict):
    """409: the address a gateway is to have is a port's."""

    code = "network.gateway_in_use"


class PortInUse(Conflict):
    """409: the port belongs to somebody already."""

    code = "network.port_in_use"

    def __init__(self, port_id: str, device_id: str) -> None:
        super().__init__(f"Port {port_id} is still in use: it belongs to {device_id}.")


class ServicePortInUse(Conflict):
    """409: the port is deleted with its owner and not by itself."""

    code = "network.service_port_in_use"

    def __init__(self, port_id: str, device_id: str) -> None:
        super().__init__(
            f"Port {port_id} cannot be deleted directly via the port API: server {device_id} is using it.",
            next_step=f"Delete the server, or detach the port: openstack server remove port {device_id} {port_id}",
        )


class IpAddressInUse(Conflict):
    """409: another port has this address."""

    code = "network.address_in_use"

    def __init__(self, network_id: str, address: str) -> None:
        super().__init__(
            f"Unable to complete operation for network {network_id}. The IP address {address} is in use.",
        )


class MacAddressInUse(Conflict):
    """409: another port of the network has this MAC."""

    code = "network.mac_in_use"

    def __init__(self, network_id: str, mac: str) -> None:
        super().__init__(f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.")


class IpAddressGenerationFailure(Conflict):
    """409: every address of the pools is given. `used` of `size` addresses of `subnet_id`."""

    code = "network.no_addresses"

    def __init__(self, network_id: str, used: dict[str, tuple[int, int]]) -> None:
        each = ", ".join(f"subnet {subnet_id} has given {given} of {size}" for subnet_id, (given, size) in used.items())
        super().__init__(
            f"No more IP addresses available on network {network_id}: {each}.",
            next_step="Delete ports that are not needed, or add a subnet.",
        )
        self.used = used


class InvalidIpForNetwork(Rejected):
    """400: no subnet of the network holds this address."""

    code = "network.address_outside"

    def __init__(self, network_id: str, address: str) -> None:
        super().__init__(f"IP address {address} is not a valid IP for any of the subnets on network {network_id}.")


class SecurityGroupInUse(Conflict):
    """409: ports are still in the group."""

    code = "network.group_in_use"

    def __init__(self, group_id: str) -> None:
        super().__init__(
            f"Security Group {group_id} in use.",
            next_step=f"See its ports with: openstack port list --security-group {group_id}",
        )


class SecurityGroupCannotRemoveDefault(Conflict):
    """409: a project keeps its default group."""

    code = "network.default_group"

    def __init__(self) -> None:
        super().__init__("Insufficient rights for removing default security group.")


class SecurityGroupCannotUpdateDefault(Conflict):
    """409: the default group keeps its name."""

    code = "network.default_group"

    def __init__(self) -> None:
        super().__init__("Updating default security group not allowed.")


class SecurityGroupDefaultAlreadyExists(Conflict):
    """409: a project has one default group."""

    code = "network.default_group"

    def __init__(self) -> None:
        super().__init__("Default security group already exists.")


class SecurityGroupRuleExists(Conflict):
    """409: the group has this rule."""

    code = "network.rule_exists"

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"Security group rule already exists. Rule id is {rule_id}.")


class PortBound(Conflict):
    """409: this cannot change while a server uses the port."""

    code = "network.port_bound"


class NetworkAmbiguous(Conflict):
    """409: several networks would do, and none was named."""

    code = "network.ambiguous"
