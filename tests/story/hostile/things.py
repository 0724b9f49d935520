"""One of everything that somebody can have, with a word in every text by which a leak is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.story.hostile.world import Person, World

WORD = "classified"


@dataclass(frozen=True)
class Things:
    """Ids by what they are of; `paths` gives each service's path parameters."""

    owner: Person
    ids: Mapping[str, str]
    word: str = WORD

    def paths(self, service: str, path: str) -> dict[str, str]:
        """The values of a path's parameters. One parameter (`ident`) is of whatever the path begins with."""
        kind = path.strip("/").partition("/")[0].replace("-", "_").rstrip("s")
        common = {
            "project_id": self.owner.project_id,
            "user_id": self.owner.user_id,
            "tag": self.word,
            "key": self.word,
            "network": self.word,
        }
        return {
            **common,
            **self.ids,
            **_by_service(service, self.word),
            "ident": self.ids.get(kind, ""),
            "domain_id": "default",
        }

    def look(self) -> dict[str, Any]:
        """All of it as its owner sees it, to be held against another look."""
        one = self.owner
        ways = {
            "server": f"compute /servers/{self.ids['server_id']}",
            "keypair": f"compute /os-keypairs/{self.word}",
            "flavor": f"compute /flavors/{self.ids['flavor_id']}",
            "image": f"image /images/{self.ids['image_id']}",
            "members": f"image /images/{self.ids['image_id']}/members",
            "limits": "compute /limits",
            "credential": f"identity /users/{one.user_id}/application_credentials/{self.ids['application_credential_id']}",
            **{kind: f"network /{kind.replace('_', '-')}s/{self.ids[kind]}" for kind in NETWORK_KINDS},
        }
        return {name: one.ok("GET", way) for name, way in ways.items()}


NETWORK_KINDS = ("network", "subnet", "port", "security_group", "security_group_rule")


def _by_service(service: str, word: str) -> dict[str, str]:
    return {
        "compute": {
            "name": word,
            "id": word,
            "alias": word,
            "version_id": word,
            "hypervisor_id": "1",
            "service_id": "1",
        },
        "image": {"member_id": word},
        "identity": {"region_id": "RegionOne"},
    }.get(service, {})


def own(world: World, person: Person, word: str = WORD, cidr: str = "10.77.0.0/24") -> Things:
    """Make one of everything for a person, each with the word in it; the names of flavors are one person's."""
    admin, says = world.admin, {"name": word, "description": word}
    flavor = {"name": word, "ram": 64, "vcpus": 1, "disk": 1, "id": word, "os-flavor-access:is_public": False}
    admin.ok("POST", "compute /flavors", {"flavor": flavor})
    admin.ok("POST", f"compute /flavors/{word}/action", {"addTenantAccess": {"tenant": person.project_id}})
    network = person.make("network", **says)["id"]
    subnet = person.make("subnet", network_id=network, cidr=cidr, ip_version=4, **says)["id"]
    group = person.make("security_group", **says)["id"]
    rule = person.make(
        "security_group_rule", security_group_id=group, direction="ingress", protocol="tcp", port_range_min=80, port_range_max=80,
        description=word,
    )["id"]  # fmt: skip
    person.make("security_group_rule", security_group_id=group, direction="ingress", remote_group_id=group)
    port = person.make("port", network_id=network, security_groups=[group], **says)["id"]
    image = person.image(name=word, tags=[word], **{f"{word}_property": word})
    person.ok("POST", f"image /images/{image}/members", {"member": person.project_id})
    person.ok("POST", "compute /os-keypairs", {"keypair": {"name": word, "type": "ssh", "public_key": KEY}})
    together = {"server_group": {"name": word, "policy": "anti-affinity"}}
    server = person.booted(
        image, flavorRef=word, name=word, key_name=word, metadata={word: word}, tags=[word], hostname=word, description=word,
        networks=[{"port": port}],
    )  # fmt: skip
    assert person.settled(server)["status"] == "ACTIVE"
    action = person.ok("GET", f"compute /servers/{server}/os-instance-actions")["instanceActions"][0]["request_id"]
    credential = person.ok(
        "POST", f"identity /users/{person.user_id}/application_credentials", {"application_credential": says}
    )["application_credential"]["id"]
    ids = {
        "server_id": server, "image_id": image, "flavor_id": word, "request_id": action, "application_credential_id": credential,
        "network_id": network, "subnet_id": subnet, "port_id": port, "group_id": group, "rule_id": rule, "network": network,
        "subnet": subnet, "port": port, "security_group": group, "security_group_rule": rule,
        "server_group_id": person.ok("POST", "compute /os-server-groups", together)["server_group"]["id"],
        "reservation_id": admin.ok("GET", f"compute /servers/{server}")["server"]["OS-EXT-SRV-ATTR:reservation_id"],
    }  # fmt: skip
    return Things(person, ids, word)


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBRpb8FQnRXE7wjGQPRtVQqbPHo/0gRkZUJvYhcxMUQ2 classified"
