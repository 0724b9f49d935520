"""
Who may do what with networks, in Neutron's rule names.

What a caller may *see* is settled by the queries (his own things, what is shared, what is on his networks), so the `get_*` rules
ask only for a reader. Some attributes have a rule of their own: `FIELDS` maps each to it, by the rule of the verb and the
attribute's name in the record.
"""

from __future__ import annotations

from collections.abc import Mapping

from kilonova.api.framework import PolicyRule

ADMIN = "rule:context_is_admin"
READER = f"role:reader or {ADMIN}"
NET_OWNER = f"{ADMIN} or (role:member and project_id:%(network:project_id)s)"
ON_NET = f"{NET_OWNER} or (role:member and True:%(network:shared)s)"
OWNER_OR_NET_OWNER = "rule:project_member_or_admin or (role:member and project_id:%(network:project_id)s)"

_PROVIDER = {
    "kind": "provider:network_type",
    "physical": "provider:physical_network",
    "segment": "provider:segmentation_id",
}
_NETWORK = {"shared": "shared", "external": "router:external", "is_default": "is_default", **_PROVIDER}
_PORT_BY_NET_OWNER = {
    "mac": "mac_address",
    "allowed_pairs": "allowed_address_pairs",
    "port_security": "port_security_enabled",
}
_PORT_BY_ADMIN = {"binding_profile": "binding:profile"}


def _rules(verbs: tuple[str, ...], names: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {verb: {field: f"{verb}:{name}" for field, name in names.items()} for verb in verbs}


_BY_ADMIN = {
    **_rules(("create_network", "update_network"), _NETWORK),
    **_rules(("create_port", "update_port"), _PORT_BY_ADMIN),
}
_BY_NET_OWNER = _rules(("create_port", "update_port"), _PORT_BY_NET_OWNER)
FIELDS: Mapping[str, Mapping[str, str]] = {
    verb: {**_BY_ADMIN.get(verb, {}), **_BY_NET_OWNER.get(verb, {})} for verb in {*_BY_ADMIN, *_BY_NET_OWNER}
}

_BINDING = ("host_id", "profile", "vif_type", "vif_details")
HIDDEN = frozenset(
    (*(f"get_network:{name}" for name in _PROVIDER.values()), *(f"get_port:binding:{name}" for name in _BINDING))
)
"""Rules of attributes that not everybody sees who sees the thing. Whoever does not cannot search or sort by them either."""

POLICIES = (
    *(PolicyRule(name, "member") for name in ("create_network", "update_network", "delete_network")),
    *(
        PolicyRule(name, "member")
        for name in ("create_security_group", "update_security_group", "delete_security_group")
    ),
    *(
        PolicyRule(name, "member")
        for name in ("create_security_group_rule", "delete_security_group_rule", "create_port")
    ),
    *(PolicyRule(f"get_{name}", check=READER) for name in ("network", "subnet", "port")),
    *(PolicyRule(f"get_{name}", check=READER) for name in ("security_group", "security_group_rule")),
    *(PolicyRule(f"get_{name}", check=READER) for name in ("extension", "availability_zone")),
    PolicyRule("create_subnet", check=NET_OWNER),
    PolicyRule("update_subnet", check=OWNER_OR_NET_OWNER),
    PolicyRule("delete_subnet", check=OWNER_OR_NET_OWNER),
    PolicyRule("update_port", "member"),
    PolicyRule("delete_port", check=OWNER_OR_NET_OWNER),
    *(PolicyRule(rule) for names in _BY_ADMIN.values() for rule in names.values()),
    *(PolicyRule(rule, check=NET_OWNER) for names in _BY_NET_OWNER.values() for rule in names.values()),
    *(PolicyRule(f"{verb}_port:fixed_ips:ip_address", check=NET_OWNER) for verb in ("create", "update")),
    *(PolicyRule(f"{verb}_port:fixed_ips:subnet_id", check=ON_NET) for verb in ("create", "update")),
    *(PolicyRule(f"{verb}_port:device_owner:network", check=NET_OWNER) for verb in ("create", "update")),
    *(PolicyRule(name) for name in sorted(HIDDEN)),
    *(
        PolicyRule(f"{verb}_{kind}_tags", check=READER if verb == "get" else None, role="member")
        for verb in ("get", "update", "delete")
        for kind in ("networks", "subnets", "ports", "security_groups")
    ),
    PolicyRule("get_quota", "reader"),
    PolicyRule("get_quotas"),
    PolicyRule("update_quota"),
    PolicyRule("delete_quota"),
    PolicyRule("get_network_ip_availability"),
)
