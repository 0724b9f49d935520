"""What makes a port sound: its owner, pairs, DHCP options, and how they go with port security. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from kilonova.domain.addresses import ip_network
from kilonova.domain.errors import Conflict, Denied
from kilonova.network.errors import InvalidInput

MAX_PAIRS = 10
Pair = tuple[str, str | None]
Option = tuple[str, str, int]


class AddressPairAndPortSecurityRequired(Conflict):
    """409: allowed address pairs mean something only with port security."""


class PortSecurityPortHasSecurityGroup(Conflict):
    """409: a port without port security is in no group."""


def check_owner(device_owner: str) -> None:
    """Raise Denied for an owner that only Kilonova itself may name: clients know a server's ports by it."""
    if device_owner.casefold().startswith("compute:"):  # some read it without regard to case
        raise Denied(
            "Policy doesn't allow a device_owner that begins with 'compute:' to be set.",
            next_step="Attach the port to a server: openstack server add port SERVER PORT",
        )


def check_vnic_type(vnic_type: str) -> None:
    """Raise InvalidInput for interfaces that the hosts cannot make."""
    if vnic_type != "normal":
        raise InvalidInput(
            "binding:vnic_type", f"the hosts of this cloud make interfaces of type normal, not {vnic_type}"
        )


def check_security(groups: Sequence[str], pairs: Sequence[object], *, is_secure: bool) -> None:
    """Raise Conflict where a port without port security asks for what only that enforces."""
    if not is_secure and groups:
        raise PortSecurityPortHasSecurityGroup(
            "Port Security must be enabled in order to have security groups on a port.",
            next_step="Send 'security_groups': [] together with 'port_security_enabled': false.",
        )
    if not is_secure and pairs:
        raise AddressPairAndPortSecurityRequired(
            "Port Security must be enabled in order to have allowed address pairs on a port."
        )


def read_pairs(pairs: Sequence[Pair], mac: str) -> tuple[tuple[str, str], ...]:
    """Pairs of an address or range and a MAC, the port's own where none was said. Raises InvalidInput."""
    if len(pairs) > MAX_PAIRS:
        raise InvalidInput("allowed_address_pairs", f"there are {len(pairs)}, the limit is {MAX_PAIRS}")
    read = []
    for address, of in pairs:
        range_ = ip_network(address, strict=False)
        is_one = range_.prefixlen == range_.max_prefixlen
        read.append((str(range_.network_address) if is_one else str(range_), of or mac))
    if len(set(read)) < len(read):
        raise InvalidInput("allowed_address_pairs", "one pair is there twice")
    return tuple(read)


def merge_options(have: Sequence[Option], changes: Sequence[tuple[str, str | None, int]]) -> tuple[Option, ...]:
    """DHCP options after a change: a value of None takes the option of that name and IP version away."""
    merged = {(name, version): value for name, value, version in have}
    for name, value, version in changes:
        if value is None:
            merged.pop((name, version), None)
        else:
            merged[name, version] = value
    return tuple((name, value, version) for (name, version), value in merged.items())
