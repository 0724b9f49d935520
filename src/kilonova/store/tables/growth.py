"""
Why no table grows for ever: each table's bound, beside the tables; `tests/unit/store/test_growth.py` holds that none is missing.

Rows are filled by *tenants* (whoever has a role in a project, a reader too), by *operators* (who may do what they please), by
*hosts*, or by the *cloud* itself. What a tenant fills is bounded by a quota, by a limit, by what it hangs on, or by time.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

By = Literal["tenant", "operator", "host", "cloud"]


class Bound(NamedTuple):
    """Who fills a table, and what bounds it: `kind` says how, `what` names the quota, limit, table or setting."""

    by: By
    kind: Literal["quota", "limit", "hangs on", "kept for", "operator", "fixed"]
    what: str


_OPERATOR = Bound("operator", "operator", "only operators write it")
ACTIONS_PER_SERVER = 1000
CREDENTIALS_PER_USER = 100

BOUNDS: dict[str, Bound] = {
    # What tenants make, and what is left when it is gone.
    "servers": Bound("tenant", "quota", "instances; deleted ones: [retention] deleted_servers_days, deleted_servers"),
    "server_actions": Bound("tenant", "limit", f"{ACTIONS_PER_SERVER} a server, the newest; [retention] actions_days"),
    "guest_data_changes": Bound("tenant", "hangs on", "servers: a row at most for each"),
    "events": Bound("tenant", "kept for", "[retention] events_days"),
    "request_specs": Bound("tenant", "hangs on", "servers"),
    "block_devices": Bound("tenant", "hangs on", "servers"),
    "sagas": Bound("tenant", "kept for", "[retention] actions_days"),
    "saga_events": Bound("cloud", "hangs on", "sagas"),
    "saga_stages": Bound("host", "hangs on", "sagas"),
    "claims": Bound("tenant", "hangs on", "servers"),
    "server_groups": Bound("tenant", "quota", "server_groups"),
    "server_group_members": Bound("tenant", "quota", "server_group_members"),
    "key_pairs": Bound("tenant", "quota", "key_pairs"),
    "images": Bound("tenant", "limit", "project_images; deleted ones: [retention] deleted_images_days, deleted_images"),
    "image_members": Bound("tenant", "limit", "members of an image"),
    "networks": Bound("tenant", "quota", "network"),
    "subnets": Bound("tenant", "quota", "subnet"),
    "ports": Bound("tenant", "quota", "port"),
    "fixed_ips": Bound("tenant", "limit", "64 a port"),
    "port_security_groups": Bound("tenant", "limit", "64 a port"),
    "security_groups": Bound("tenant", "quota", "security_group"),
    "security_group_rules": Bound("tenant", "quota", "security_group_rule"),
    "application_credentials": Bound("tenant", "limit", f"{CREDENTIALS_PER_USER} a user"),
    "revoked_tokens": Bound("tenant", "kept for", "the life of the token"),
    "quota_usage": Bound("cloud", "hangs on", "projects: a row for each resource"),
    "network_changes": Bound("cloud", "kept for", "as long as it takes to tell hosts: taken out as it is told"),
    # What hosts say.
    "host_refusals": Bound("host", "limit", "1000 kinds, the newest"),
    "host_image_grants": Bound("operator", "kept for", "6 hours"),
    "host_credentials": _OPERATOR,
    "host_seal_keys": Bound("host", "hangs on", "hosts"),
    "host_join_tokens": _OPERATOR,
    "hosts": _OPERATOR,
    "services": Bound("cloud", "operator", "a row for each process by name"),
    # What operators make.
    "aggregates": _OPERATOR,
    "aggregate_hosts": _OPERATOR,
    "assignments": _OPERATOR,
    "custom_traits": _OPERATOR,
    "domains": _OPERATOR,
    "flavors": _OPERATOR,
    "flavor_access": _OPERATOR,
    "groups": _OPERATOR,
    "group_members": _OPERATOR,
    "host_traits": _OPERATOR,
    "identity_endpoints": _OPERATOR,
    "identity_regions": _OPERATOR,
    "identity_services": _OPERATOR,
    "projects": _OPERATOR,
    "quota_limits": _OPERATOR,
    "resource_classes": _OPERATOR,
    "roles": _OPERATOR,
    "users": _OPERATOR,
    # Our own.
    "epochs": Bound("cloud", "operator", "a row for each time the records were restored or failed over"),
    "counters": Bound("cloud", "fixed", "a row for each series of numbers"),
    "secret_keys": Bound("cloud", "kept for", "as long as anything valid is sealed with them"),
}
