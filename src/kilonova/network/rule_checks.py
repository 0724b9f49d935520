"""What makes a security-group rule sound, in Neutron's terms. Pure."""

from __future__ import annotations

import msgspec

from kilonova.domain.addresses import ip_network
from kilonova.domain.errors import Rejected
from kilonova.network.errors import InvalidInput

# Names that rules may use; the hosts know the same.
PROTOCOLS: dict[str, int] = {
    "ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "igmp": 2, "ipip": 4,
    "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43, "ospf": 89,
    "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112,
}  # fmt: skip
_WITH_PORTS = {6, 17, 33, 132, 136}
_ICMP = {1, 58}
_IPV6_ONLY = {41, 43, 44, 58, 59, 60}


class SecurityGroupRuleInvalidProtocol(InvalidInput):
    """400: no such protocol."""


class SecurityGroupEthertypeConflictWithProtocol(Rejected):
    """400: a protocol of IPv6 in a rule for IPv4."""


class SecurityGroupRuleParameterConflict(Rejected):
    """400: a range of one IP version in a rule for the other."""


class SecurityGroupInvalidPortRange(Rejected):
    """400: ports out of order or out of range."""


class SecurityGroupProtocolRequiredWithPorts(Rejected):
    """400: ports of no protocol."""


class SecurityGroupInvalidIcmpValue(Rejected):
    """400: an ICMP type or code out of range."""


class SecurityGroupMissingIcmpType(Rejected):
    """400: an ICMP code without its type."""


class SecurityGroupRemoteGroupAndRemoteIpPrefix(Rejected):
    """400: both kinds of remote."""


class NewRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as asked for; ports are type and code for ICMP."""

    group_id: str
    direction: str
    ethertype: str = "IPv4"
    protocol: str | None = None
    port_min: int | None = None
    port_max: int | None = None
    remote_cidr: str | None = None
    remote_group: str | None = None
    description: str = ""


def checked(rule: NewRule) -> NewRule:
    """The rule in canonical form. Raises Rejected."""
    protocol = _protocol(rule.protocol, rule.ethertype)
    number = None if protocol is None else _number(protocol)
    if number in _ICMP:
        _check_icmp(rule)
    else:
        _check_ports(rule, number)
    if rule.remote_cidr is not None and rule.remote_group is not None:
        raise SecurityGroupRemoteGroupAndRemoteIpPrefix("Only remote_ip_prefix or remote_group_id may be provided.")
    return msgspec.structs.replace(rule, protocol=protocol, remote_cidr=_cidr(rule.remote_cidr, rule.ethertype))


def same(one: NewRule, other: NewRule) -> bool:
    """Whether two rules in canonical form let the same through."""
    return _essence(one) == _essence(other)


def _essence(rule: NewRule) -> tuple[object, ...]:
    cidr = None if rule.remote_cidr in ("0.0.0.0/0", "::/0") else rule.remote_cidr
    number = None if rule.protocol is None else _number(rule.protocol)
    return (rule.direction, rule.ethertype, number, rule.port_min, rule.port_max, cidr, rule.remote_group)


def _protocol(protocol: str | None, ethertype: str) -> str | None:
    if protocol is None or protocol.lower() == "any" or protocol == "0":
        return None
    name = protocol.lower()
    if name not in PROTOCOLS and not (name.isascii() and name.isdigit() and int(name) <= 255):
        raise SecurityGroupRuleInvalidProtocol(
            "protocol", f"{protocol[:64]!r} is not a number from 0 to 255 or one of {', '.join(PROTOCOLS)}"
        )
    if ethertype == "IPv4" and _number(name) in _IPV6_ONLY:
        raise SecurityGroupEthertypeConflictWithProtocol(f"Invalid ethertype IPv4 for protocol {protocol}.")
    return name


def _number(protocol: str) -> int:
    return PROTOCOLS[protocol] if protocol in PROTOCOLS else int(protocol)


def _check_icmp(rule: NewRule) -> None:
    for field, value in (("type", rule.port_min), ("code", rule.port_max)):
        if value is not None and not 0 <= value <= 255:
            raise SecurityGroupInvalidIcmpValue(
                f"Invalid value for ICMP {field} (port_range_{'min' if field == 'type' else 'max'}) {value}. "
                "It must be 0 to 255."
            )
    if rule.port_min is None and rule.port_max is not None:
        raise SecurityGroupMissingIcmpType(
            f"ICMP code (port-range-max) {rule.port_max} is provided but ICMP type is missing."
        )


def _check_ports(rule: NewRule, number: int | None) -> None:
    if rule.port_min is None and rule.port_max is None:
        return
    if number is None:
        raise SecurityGroupProtocolRequiredWithPorts("Must also specify protocol if port range is given.")
    if number not in _WITH_PORTS:
        raise SecurityGroupInvalidPortRange(
            f"Protocol {rule.protocol} has no ports: leave port_range_min and _max out."
        )
    if rule.port_min is None or rule.port_max is None or not 1 <= rule.port_min <= rule.port_max <= 65535:
        raise SecurityGroupInvalidPortRange(
            "For TCP/UDP protocols, port_range_min must be <= port_range_max, both are required, from 1 to 65535."
        )


def _cidr(cidr: str | None, ethertype: str) -> str | None:
    if cidr is None:
        return None
    range_ = ip_network(cidr, strict=False)
    if f"IPv{range_.version}" != ethertype:
        raise SecurityGroupRuleParameterConflict(f"Conflicting value ethertype {ethertype} for CIDR {cidr}")
    return str(range_)
