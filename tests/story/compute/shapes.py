"""From a recorded exchange to one in our cloud, and from two bodies to what differs between their shapes."""

from __future__ import annotations

import re
from typing import Any

from kilonova.rpc.messages import ConsoleOutput, Message, Ok, Uptime
from tests import facts
from tests.fakes.auth import ADMIN, ADMIN_PROJECT, CALLERS, MEMBER_A, PROJECT_B
from tests.fakes.images import TINY
from tests.story.compute.cloud import HOST, ZONE, Cloud

LATER_ACTIONS = [
    "lock", "unlock", "os-resetState", "os-getConsoleOutput", "addTenantAccess", "removeTenantAccess",
    "add_host", "remove_host", "set_metadata",
]  # fmt: skip
SERVED_PATHS = re.compile(
    r"/(flavors|os-keypairs|limits|os-availability-zone|os-services|os-hypervisors|os-quota|extensions)(/.*|$|-.*)"
    r"|/(os-aggregates|os-server-groups)(/.*|$)"
    r"|/servers(/detail|/{id}|/{server_id}/(metadata|tags|ips|os-instance-actions|os-security-groups)(/{id})?)?$"
)
# Keys of these objects are data and not the API's.
FREE = {
    "metadata",
    "meta",
    "addresses",
    "extra_specs",
    "scheduler_hints",
    "properties",
    "cpu_info",
    "hosts",
    "group",
    "ip_range",
    "topology",
}
EMPTY_HERE = {"os-extended-volumes:volumes_attached", "rules", "features", "server_groups"}
GROUP = "f3d86fe6-4246-4be8-b87c-eb894626c741"
KEY = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDx8nkQv/zgGgB4rMYmIf+6A4l6Rr+o/6lHBQdW5aYd44bd8JttDCE/F/pNRr0lRE+PiqSPO8nDPHw0010JeMH9"
    "gYgnnFlyY3/OcJ02RhIPyyxYpv9FhY+2YiUkpwFOcLImyrxEsYXpD/0d3ac30bNH6Sw9JD9UZHYcpSxsIbECHw== us@here"
)


def is_served(method: str, path: str, action: str | None) -> bool:
    """Whether a documented route is a part of this service by now."""
    if action is not None:
        return action in LATER_ACTIONS
    return bool(SERVED_PATHS.fullmatch(path)) or path == "/"


class World:
    """A cloud with one of everything that the recorded exchanges speak of."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.server: str | None = None
        cloud.bus.serve(f"agent.{HOST}", _agent)

    def token(self, exchange: dict[str, Any]) -> str:
        """The caller: an administrator, but where the recorded answer is not for one."""
        if exchange["status"] == 403:
            return MEMBER_A
        sample = exchange["response_sample"]
        if "non-admin" in (sample or ""):
            return MEMBER_A
        if sample and exchange["route"].startswith(("GET /servers", "PUT /servers")):
            shown = facts.sample("compute", sample)
            server = shown.get("server") or (shown.get("servers") or [{}])[0]
            if "OS-EXT-STS:vm_state" in server and "OS-EXT-SRV-ATTR:host" not in server:
                return MEMBER_A
        return ADMIN

    def url(self, exchange: dict[str, Any]) -> str:
        """The recorded URL with our own names and ids."""
        token, url, route = self.token(exchange), f"/{exchange['url'].lstrip('/')}", exchange["route"]
        if route.split(" ")[1].startswith("/servers/") or route == "GET /servers":
            self._need_server(token, exchange)
            url = url.replace("{uuid}", str(self.server), 1)
        if "os-instance-actions" in route:
            actions = self.cloud.call("GET", f"/servers/{self.server}/os-instance-actions", token=token, status=200)
            newest = actions["instanceActions"][0]["request_id"]
            url = url.replace("req-{uuid}", newest)
        if "os-hypervisors" in route:
            self._need_hosts(token, exchange)
            url = (
                url.replace("/fake/", f"/{HOST[:6]}/")
                .replace("pattern=fake", f"pattern={HOST[:6]}")
                .replace("marker=1", "limit=1")
            )
            url = url.replace("&marker={uuid}", "").replace("{uuid}", self.cloud.host.id)
        if "os-keypairs" in route and exchange["route"].startswith("GET"):
            for name in ("a", "b", "c"):
                self.cloud.call(
                    "POST", "/os-keypairs", {"keypair": {"name": name, "public_key": KEY}}, token=token, status=200
                )
            url = url.replace("keypair-{uuid}", "a").replace("user_id=user1", f"user_id={CALLERS[token].user_id}")
            url = url.replace("user_id=user2", f"user_id={CALLERS[token].user_id}")
        if "/flavors" in route and route != "POST /flavors":
            self._need_flavors(exchange)
        if route.split(" ")[1].startswith("/os-aggregates") and route != "POST /os-aggregates":
            self._need_aggregate(exchange)
        if "os-server-groups" in route and exchange["route"].startswith("GET"):
            url = url.replace("{uuid}", self._need_group(token, exchange))
        if "os-services/{id}" in route:
            url = url.replace("{uuid}", self.cloud.host.service_id)
        url = re.sub(r"(changes-since)=[^&]*", r"\1=2020-01-01T00:00:00", url)
        url = re.sub(r"(changes-before)=[^&]*", r"\1=2120-01-01T00:00:00", url)
        # Agents left the API, and the list of what is there with them.
        return url.replace("fake_tenant", ADMIN_PROJECT).replace("extensions/os-agents", "extensions/os-aggregates")

    def body(self, exchange: dict[str, Any]) -> Any:
        """The recorded body with our own names and ids."""
        return self._ours(facts.sample("compute", exchange["request_sample"]), exchange)

    def _ours(self, value: Any, exchange: dict[str, Any]) -> Any:
        if isinstance(value, dict):
            beside = self._beside(self.token(exchange)) if "same_host" in value else {}
            return {key: self._ours(one, exchange) for key, one in (value | beside).items()}
        if isinstance(value, list):
            return [self._ours(one, exchange) for one in value]
        return self._our_word(value, exchange) if isinstance(value, str) else value

    def _our_word(self, word: str, exchange: dict[str, Any]) -> str:
        named = {
            "%(availability_zone)s": ZONE, "us-west": ZONE, "host1": HOST, "openstack-node-01": HOST, "fake-mini": HOST,
            "fake_tenant": PROJECT_B, "3cb9bc59-5699-4588-a4b1-b87f96708bc6": self.cloud.network.id, "6": "1",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}": TINY,
        }  # fmt: skip
        if exchange["route"].endswith("_host)"):
            return HOST
        if exchange["route"].startswith("PUT /flavors") and word == "2":
            return "1"  # hw:numa_nodes: NUMA is not built yet, so more than one node is refused
        if word == GROUP:
            return self._need_group(self.token(exchange), exchange)
        if exchange["route"].startswith("POST /os-keypairs") and word == "fake":
            return str(CALLERS[ADMIN].user_id if exchange["status"] != 403 else "somebody-else")
        return named.get(word, word)

    def _need_server(self, token: str, exchange: dict[str, Any]) -> None:
        beside = self._beside(token)
        if "limit" in exchange["url"]:
            self.cloud.boot("another", token=token)
        sent = {
            "name": "new-server-test", "flavorRef": "1", "imageRef": TINY, "networks": "auto", "availability_zone": ZONE,
            "metadata": {"My Server Name": "Apache1", "foo": "bar"}, "accessIPv4": "1.2.3.4", "tags": ["tag1", "tag2"],
            "trusted_image_certificates": ["one"],
        }  # fmt: skip
        created = self.cloud.call(
            "POST", "/servers", {"server": sent, "os:scheduler_hints": beside}, token=token, version="2.90", status=202
        )
        self.server = created["server"]["id"]
        self.cloud.run(self.server)
        for named in beside["same_host"]:  # what a hint names may be gone later
            self.cloud.call("DELETE", f"/servers/{named}", token=token, status=204)
            self.cloud.forget(named)
        if "os-instance-actions" in exchange["route"]:
            for action in ("lock", "unlock"):
                self.cloud.call("POST", f"/servers/{self.server}/action", {action: None}, token=token, status=202)
            if exchange["route"].endswith("/{id}"):
                self.cloud.forget_actions(self.server)

    def _beside(self, token: str) -> dict[str, list[str]]:
        """A hint, which names a server there is."""
        return {"same_host": [self.cloud.boot("beside", token=token)]}

    def _need_hosts(self, token: str, exchange: dict[str, Any]) -> None:
        if "limit" in exchange["url"]:
            self.cloud.add_host("openstack-node-02")
        elif "with-servers" in exchange["response_sample"]:
            self.cloud.boot(token=token)

    def _need_aggregate(self, exchange: dict[str, Any]) -> None:
        sent = {"name": "name", "availability_zone": "london"}
        self.cloud.call("POST", "/os-aggregates", {"aggregate": sent}, token=ADMIN, status=200)
        if exchange["route"] == "GET /os-aggregates" or "remove_host" in exchange["route"]:
            self.cloud.call("POST", "/os-aggregates/1/action", {"add_host": {"host": HOST}}, token=ADMIN, status=200)

    def _need_group(self, token: str, exchange: dict[str, Any]) -> str:
        rules = {"policy": "anti-affinity", "rules": {"max_server_per_host": 3}}
        sent = {"server_group": {"name": "test", **rules}}
        made = self.cloud.call("POST", "/os-server-groups", sent, token=token, version="2.64", status=200)
        return str(made["server_group"]["id"])

    def _need_flavors(self, exchange: dict[str, Any]) -> None:
        described = {
            "name": "m1.small.description",
            "id": "7",
            "ram": 2048,
            "vcpus": 1,
            "disk": 20,
            "description": "told",
        }
        private = {
            "name": "private",
            "id": "10",
            "ram": 2048,
            "vcpus": 1,
            "disk": 20,
            "os-flavor-access:is_public": exchange["status"] == 409,
        }
        for flavor in (described, private):
            self.cloud.call("POST", "/flavors", {"flavor": flavor}, token=ADMIN, version="2.55", status=200)
        if "removeTenantAccess" in exchange["route"] or exchange["route"].endswith("os-flavor-access"):
            grant = {"addTenantAccess": {"tenant": PROJECT_B}}
            self.cloud.call("POST", "/flavors/10/action", grant, token=ADMIN, status=200)
        specs = {"extra_specs": {"hw:numa_nodes": "1"}}
        self.cloud.call("POST", "/flavors/1/os-extra_specs", specs, token=ADMIN, status=200)


def _agent(message: Message) -> Message:
    kinds: dict[str, Message] = {
        "GetConsoleOutput": ConsoleOutput(output="FAKE CONSOLE OUTPUT\nANOTHER\nLAST LINE"),
        "GetUptime": Uptime(text=" up 3 days"),
    }  # fmt: skip
    return kinds.get(type(message).__name__, Ok())


def differences(expected: Any, found: Any, where: str) -> list[str]:
    """What is in one body and not in the other, by path; values are not compared, their types are."""
    if expected is None or found is None:
        return []
    if isinstance(expected, dict) and isinstance(found, dict):
        return _of_objects(expected, found, where)
    if isinstance(expected, list) and isinstance(found, list):
        if not expected or not found:
            return [] if found or not expected or where.rpartition(".")[2] in EMPTY_HERE else [f"{where} is empty"]
        return differences(expected[0], found[0], f"{where}[]")
    if isinstance(expected, bool) is not isinstance(found, bool) or not _alike(expected, found):
        return [f"{where}: {type(found).__name__}, not {type(expected).__name__}"]
    return []


def _of_objects(expected: dict[str, Any], found: dict[str, Any], where: str) -> list[str]:
    if where.rpartition(".")[2] in FREE:
        return []
    missing = [f"{where}.{key} is missing" for key in expected if key not in found]
    extra = [f"{where}.{key} is not in the sample" for key in found if key not in expected]
    both = [one for key in expected if key in found for one in differences(expected[key], found[key], f"{where}.{key}")]
    return [*missing, *extra, *both]


def _alike(expected: Any, found: Any) -> bool:
    numbers = (int, float)
    return isinstance(found, type(expected)) or (isinstance(expected, numbers) and isinstance(found, numbers))
