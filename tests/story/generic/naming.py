"""
What each place for text in a request names, and a thing of that kind that is the caller's, a stranger's, or nobody's.

The rules are tried in order on `SERVICE METHOD /path PART:place`. A place that none of them knows holds words that mean nothing
to us, unless its name looks like that of a thing: then the test that asks fails until somebody has said here what it names.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.story.generic.spots import KEY, Spot
from tests.story.generic.tables import Door
from tests.story.hostile.things import WORD, Things, own
from tests.story.hostile.world import World

RULES: tuple[tuple[str, str], ...] = tuple((pattern, kind) for kind, patterns in {
    # What is open to all, or names nothing: compared with nothing, for the reason in WHY.
    "public": (
        r"path:(prior_|implied_)?role_id$", r"role\.id$", r"region_id$", r"region$", r"region\.id$",
        r"/(regions|roles) query:marker$",
        r"path:(alias|version_id)$", r"(availability_)?zone(_hints\[\])?$", r"query:(fields|sort_key|sort_dir|sort)$",
    ),
    "switch": (
        r"query:(all_tenants|all_projects|parents_as_\w+|subtree_as_\w+|include_\w+|with_servers|is_default|is_domain)$",
        r"query:(deleted|nocatalog|effective|page_reverse|enabled|is_public|shared|reserved|sort|os_hidden|protected)$",
    ),
    # By where it is, since the name alone says too little.
    "word": (
        r"(network|compute) POST /\S+ body:(keypair|security_groups?(\[\])?)\.name$", r"max_server_per_host$", r"device_owner$",
        r"path:network$", r"(nexthop|gateway_ip|allowed_address_pairs\[\]\.\w+|build_near_host_ip|return_reservation_id)$",
    ),
    "server": (
        r"/servers(/detail)? query:(uuid|marker)$", r"server_id$", r"(same|different)_host(\[\])?$", r"device_id$",
        r"consumer_uuid$", r"POST /allocations body:{key}$",
    ),
    "server_group": (r"/os-server-groups.* (path:id|query:marker)$", r"hints\.group$"),
    "aggregate": (r"/os-aggregates.* path:id$", r"aggregates\[\]$", r"query:member_of$"),
    "keypair": (r"/os-keypairs.* (path:name|query:marker)$", r"key_name$"),
    "network": (
        r"server\.networks\[\]\.uuid$", r"/networks(/{ident}\S*)? (path:ident|query:(id|marker))$", r"network_id$",
        r"availabilities query:marker$",
    ),
    "subnet": (r"/subnets(/{ident}\S*)? (path:ident|query:(id|marker))$", r"subnet_id$"),
    "port": (r"/ports(/{ident}\S*)? (path:ident|query:(id|marker))$", r"port_id$", r"server\.networks\[\]\.port$"),
    "rule": (r"rule_id$", r"/security-group-rules query:(id|marker)$"),
    "security_group": (
        r"/security-groups(/{ident}\S*|/{group_id})? (path:(ident|group_id)|query:(id|marker))$", r"remote_group_id$",
        r"security_group_ids?$", r"(server|port|ports\[\])\.security_groups(\[\](\.name)?)?$", r"query:security_groups$",
    ),
    "flavor": (
        r"flavor_id$", r"flavorRef$", r"query:flavor$", r"/flavors(/detail)? query:marker$", r"body:flavor\.id$",
    ),
    "image": (
        r"image_id$", r"imageRef$", r"query:(image|image_ref|kernel_id|ramdisk_id)$", r"/images query:(id|marker)$",
        r"cache\[\]\.id$", r"mapping_v2\[\]\.uuid$", r"image POST /images body:id$",
    ),
    "request": (r"request_id$", r"os-instance-actions query:marker$"),
    "reservation": (r"reservation_id$",),
    "credential": (
        r"application_credential_id$", r"application_credential\.id$", r"/application_credentials query:marker$",
    ),
    "group": (r"identity .*group_id$", r"group\.id$", r"/groups query:marker$"),
    "user": (r"user_id$", r"user\.id$", r"/users query:marker$", r"locked_by$"),
    "domain": (r"domain_id$", r"domain\.id$", r"/domains query:marker$"),
    "project": (
        r"(project|tenant|member|parent)_id$", r"project\.id$", r"tenant$", r"body:member$", r":owner$",
        r"/projects query:marker$",
    ),
    "role": (r"body:.*roles\[\]\.id$",),
    "role_name": (r"body:.*roles\[\]\.name$",),
    "project_name": (r"scope\.project\.name$",),
    "user_name": (r"body:auth.*user\.name$",),
    "domain_name": (r"domain\.name$",),
    "token": (r"identity\.token\.id$", r"header:X-Subject-Token$"),
    "address": (
        r"fixed_ip$", r"ip_address$", r"query:(ip|fixed_ips|access_ip_v4)$"
    ),
    "mac": (r"mac_address$",),
    "host": (r"(host|host_name|host_id|hypervisor_hostname|hypervisor_hostname_pattern|node|sender|host\.name)$",),
    "hypervisor": (r"hypervisor_id$", r"/os-hypervisors.* query:marker$"),
    "service": (r"compute .*service_id$",),
    "catalog_service": (r"identity .*service_id$", r"/services query:marker$"),
    "endpoint": (r"endpoint_id$", r"/endpoints query:marker$"),
    "provider": (r"placement .*uuid$", r"in_tree$", r"same_subtree$", r"mappings\..*\[\]$", r"allocations\.{key}$"),
    "volume": (r"(volume|snapshot)_id$",),
    "nothing": (
        r"subnetpool_id$", r"remote_address_group_id$", r"path:(id|domain_id)$", r"(target|different)_cell(\[\])?$",
        r"trusted_image_certificates\[\]$", r"volume_type$",
    ),
}.items() for pattern in patterns)  # fmt: skip
WHY = {
    "public": "roles, regions, zones, extensions and the words of lists are the same for everybody",
    "switch": "it is on or off, and names nothing",
    "volume": "there is no block storage service: none exists, and every name of one is refused",
    "nothing": "there is nothing of the kind here, so nobody has any",
}
OPERATORS = ("aggregate", "group", "host", "hypervisor", "service", "catalog_service", "endpoint", "provider")
"""Kinds of which a member has none: who may see them sees all, and others are strangers to each."""
NO_NAMES = {
    r"quota(_set|_class_set)?\.": "how many of them",
    r"dns_domain$": "a name in the DNS",
    r"provider:(physical_network|segmentation_id)$": "of the wires; members may not name any",
    r"is_domain$|no_device$": "it is on or off",
    r"(user|project|binding:profile)\.(x|\{key\})$": "whatever a client wants kept: nothing acts on it",
    r"query:(pci_devices|services)$": "filters that Nova once had, which are passed over",
    r"body:host\.token$": "the secret of a host that joins",
}
"""Places whose names look like those of things, with why they are none: they hold words."""
_LOOKS_LIKE_A_NAME = re.compile(
    r"(^|[_.:-])(ids?|uuids?|refs?|server|instance|image|flavor|network|subnet|port|group|project|tenant|user|host|node|member|owner"
    r"|volume|snapshot|keypair|aggregate|role|domain|trust|credential|consumer|provider|cell|router|marker|kernel|ramdisk|parent"
    r"|device|service|endpoint|region|token|request|allocation|pool|policy|profile)s?(\[\])?$|(Ref|Id|Uuid)s?$"
)


def kind_of(door: Door, spot: Spot) -> str:
    """What a place names: one of the kinds above, or `word`."""
    return _ruled(door, spot) or "word"


def is_unknown(door: Door, spot: Spot) -> bool:
    """Whether nobody has said what a place names that looks as if it named something."""
    if _ruled(door, spot) or any(re.search(one, spot.name) for one in NO_NAMES):
        return False
    return looks_like_a_name(spot.name.removesuffix(".x").removesuffix(f".{KEY}"))


def looks_like_a_name(name: str) -> bool:
    """Whether a field of this name might hold the name of a thing."""
    return bool(_LOOKS_LIKE_A_NAME.search(name))


def _ruled(door: Door, spot: Spot) -> str | None:
    where = f"{door.service} {door.route.method} {door.route.path} {spot.name}"
    return next((kind for pattern, kind in RULES if re.search(pattern, where)), None)


@dataclass(frozen=True)
class Names:
    """Of each kind of thing: one of the caller's own, and a stranger's."""

    own: Mapping[str, str]
    strangers: Mapping[str, str]

    def nobodys(self, kind: str) -> str:
        """The name of nothing, new each time, in the form of the stranger's."""
        return _like(self.strangers[kind])


def names_of(cloud: World, theirs: Things, mine: Things) -> Names:
    """Of two people's things, and of the operator's, which are strangers to both."""
    operators = _operators(cloud)
    own_, strangers = _of(mine) | operators, _of(theirs) | operators
    own_ |= {"domain": "default", "domain_name": "Default", "role_name": "member"}
    own_["role"] = next(
        one["id"] for one in cloud.admin.ok("GET", "identity /roles")["roles"] if one["name"] == "member"
    )
    return Names(own=own_, strangers=strangers)


def things(cloud: World) -> tuple[Things, Things]:
    """One of everything for a, in full; and for b."""
    return own(cloud, cloud.a), own(cloud, cloud.b, word="ones-own-x", cidr="10.78.0.0/24")


def _of(things: Things) -> dict[str, Any]:
    person, ids = things.owner, things.ids
    port = person.ok("GET", f"network /ports/{ids['port_id']}")["port"]
    letter = "a" if things.word == WORD else "b"
    return {
        "project_name": f"project-{letter}", "user_name": f"user-{letter}",
        "server": ids["server_id"], "image": ids["image_id"], "flavor": ids["flavor_id"], "network": ids["network_id"],
        "subnet": ids["subnet_id"], "port": ids["port_id"], "security_group": ids["group_id"], "rule": ids["rule_id"],
        "server_group": ids["server_group_id"], "keypair": things.word, "request": ids["request_id"],
        "reservation": ids["reservation_id"], "credential": ids["application_credential_id"], "project": person.project_id,
        "user": person.user_id, "token": person.token, "word": things.word, "address": port["fixed_ips"][0]["ip_address"],
        "mac": port["mac_address"],
    }  # fmt: skip


def _operators(cloud: World) -> dict[str, Any]:
    admin = cloud.admin
    aggregate = admin.ok("POST", "compute /os-aggregates", {"aggregate": {"name": WORD}})["aggregate"]
    group = admin.ok("POST", "identity /groups", {"group": {"name": WORD}})["group"]["id"]
    domain = admin.ok("POST", "identity /domains", {"domain": {"name": WORD}})["domain"]["id"]
    catalog = admin.ok("GET", "identity /services")["services"][0]["id"]
    endpoint = admin.ok("GET", "identity /endpoints")["endpoints"][0]["id"]
    host = admin.ok("GET", "compute /os-hypervisors")["hypervisors"][0]
    roles = {one["name"]: one["id"] for one in admin.ok("GET", "identity /roles")["roles"]}
    service = admin.ok("GET", "compute /os-services")["services"][0]["id"]
    return {
        "aggregate": str(aggregate["id"]), "group": group, "domain": domain, "catalog_service": catalog, "endpoint": endpoint,
        "host": host["hypervisor_hostname"], "hypervisor": host["id"], "service": service, "provider": host["id"],
        "role": roles["admin"],
        "role_name": "admin", "domain_name": WORD,
    }  # fmt: skip


def _like(value: str) -> str:
    for form, made in (
        (r"[0-9a-f]{32}", lambda: uuid.uuid4().hex),
        (r"[0-9a-f-]{36}", lambda: str(uuid.uuid4())),
        (r"req-[0-9a-f-]{36}", lambda: f"req-{uuid.uuid4()}"),
        (r"[0-9]+(\.[0-9]+){3}", lambda: value.rpartition(".")[0] + ".222"),
        (r"(..:){5}..", lambda: value[:-2] + ("00" if value[-2:] != "00" else "01")),
        (r"[0-9]+", lambda: "9" * len(value)),
    ):
        if re.fullmatch(form, value):
            return made()
    return ("unheardofx" * 100)[: len(value)]
