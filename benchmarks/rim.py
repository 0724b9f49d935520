"""What the HTTP rim itself costs, without a socket and without a database."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated, Any

import anyio
import msgspec
import structlog

from benchmarks.section import Section
from kilonova.api.framework import (
    COMPUTE,
    UNSET,
    Maybe,
    Meta,
    Microversions,
    Page,
    Params,
    Policy,
    PolicyRule,
    Query,
    Request,
    Rim,
    Route,
    Service,
    View,
    since,
    until,
    wire,
)
from kilonova.api.framework.compile_in import Decoder
from kilonova.api.framework.compile_out import Encoder
from kilonova.api.framework.types import Flag, Metadata, Name, Uuid
from kilonova.api.framework.versions import Version
from tests.apiclient import FakeAuthenticator, caller

NEWEST = Version(2, 104)
ROUNDS = 15
UUID = "c7d1c6a0-8b11-4fde-9d2a-5a1b7c0a5f31"


class Link(View):
    rel: str
    href: str


class Address(View):
    addr: str
    version: int
    mac_addr: Annotated[str, wire("OS-EXT-IPS-MAC:mac_addr")]
    type: Annotated[str, wire("OS-EXT-IPS:type")]


class FlavorEmbedded(View):
    vcpus: int
    ram: int
    disk: int
    ephemeral: int
    swap: int
    original_name: str
    extra_specs: Maybe[dict[str, str]] = UNSET


class Ref(View):
    id: str
    links: list[Link]


class ServerView(View):
    """About as wide as a server in detail is at 2.104."""

    id: str
    name: str
    status: str
    tenant_id: str
    user_id: str
    metadata: dict[str, str]
    host_id: Annotated[str, wire("hostId")]
    image: Ref
    flavor_link: Annotated[Maybe[Ref], wire("flavor"), until("2.46")] = UNSET
    flavor: Annotated[Maybe[FlavorEmbedded], since("2.47")] = UNSET
    created: str
    updated: str
    addresses: dict[str, list[Address]]
    access_ip_v4: Annotated[str, wire("accessIPv4")]
    access_ip_v6: Annotated[str, wire("accessIPv6")]
    links: list[Link]
    progress: Maybe[int] = UNSET
    disk_config: Annotated[str, wire("OS-DCF:diskConfig")]
    zone: Annotated[str, wire("OS-EXT-AZ:availability_zone")]
    config_drive: str
    key_name: str | None
    launched_at: Annotated[str | None, wire("OS-SRV-USG:launched_at")]
    terminated_at: Annotated[str | None, wire("OS-SRV-USG:terminated_at")]
    security_groups: list[dict[str, str]]
    host: Annotated[Maybe[str | None], wire("OS-EXT-SRV-ATTR:host")] = UNSET
    instance_name: Annotated[Maybe[str], wire("OS-EXT-SRV-ATTR:instance_name")] = UNSET
    node: Annotated[Maybe[str | None], wire("OS-EXT-SRV-ATTR:hypervisor_hostname")] = UNSET
    task_state: Annotated[str | None, wire("OS-EXT-STS:task_state")]
    vm_state: Annotated[str, wire("OS-EXT-STS:vm_state")]
    power_state: Annotated[int, wire("OS-EXT-STS:power_state")]
    volumes: Annotated[list[dict[str, Any]], wire("os-extended-volumes:volumes_attached")]
    locked: Annotated[Maybe[bool], since("2.9")] = UNSET
    host_status: Annotated[Maybe[str], since("2.16")] = UNSET
    description: Annotated[Maybe[str | None], since("2.19")] = UNSET
    tags: Annotated[Maybe[list[str]], since("2.26")] = UNSET
    trusted: Annotated[Maybe[list[str] | None], wire("trusted_image_certificates"), since("2.63")] = UNSET
    locked_reason: Annotated[Maybe[str | None], since("2.73")] = UNSET
    server_groups: Annotated[Maybe[list[str]], since("2.71")] = UNSET
    pinned: Annotated[Maybe[str | None], wire("pinned_availability_zone"), since("2.96")] = UNSET


class NetworkRef(Params):
    uuid: Maybe[Uuid] = UNSET
    port: Maybe[Uuid] = UNSET
    fixed_ip: Maybe[str] = UNSET


class CreateServer(Params):
    name: Name
    image_ref: Annotated[str, wire("imageRef")] = ""
    flavor_ref: Annotated[str, wire("flavorRef"), Meta(min_length=1)]
    networks: Maybe[list[NetworkRef] | str] = UNSET
    metadata: Maybe[Metadata] = UNSET
    config_drive: Maybe[Flag] = UNSET
    description: Annotated[Maybe[str | None], since("2.19")] = UNSET


NEWER: dict[str, Any] = {
    "locked": False,
    "host_status": "UP",
    "description": None,
    "tags": [],
    "trusted": None,
    "locked_reason": None,
    "server_groups": [],
    "pinned": None,
}


def server(i: int) -> ServerView:
    href = f"http://cloud.example.org/compute/v2.1/servers/{UUID}"
    links = [Link(rel="self", href=href), Link(rel="bookmark", href=href)]
    return ServerView(
        id=UUID,
        name=f"server-{i}",
        status="ACTIVE",
        tenant_id="6f70656e737461636b20342065766572",
        user_id="fake",
        metadata={"purpose": "benchmark"},
        host_id="2091634baaccdc4c5a1d57069c833e402921df696b7f970791b12ec6",
        image=Ref(id=UUID, links=links[1:]),
        flavor_link=Ref(id="1", links=links[1:]),
        flavor=FlavorEmbedded(vcpus=1, ram=512, disk=1, ephemeral=0, swap=0, original_name="m1.tiny", extra_specs={}),
        created="2019-04-23T15:19:14Z",
        updated="2019-04-23T15:19:15Z",
        addresses={"private": [Address(addr="192.168.1.30", version=4, mac_addr="00:0c:29:0d:11:74", type="fixed")]},
        access_ip_v4="",
        access_ip_v6="",
        links=links,
        progress=0,
        disk_config="AUTO",
        zone="nova",
        config_drive="",
        key_name=None,
        launched_at="2019-04-23T15:19:15.000000",
        terminated_at=None,
        security_groups=[{"name": "default"}],
        host="compute",
        instance_name="instance-00000001",
        node="fake-mini",
        task_state=None,
        vm_state="active",
        power_state=1,
        volumes=[],
        **NEWER,
    )


def median_us(fn: Callable[[], object], repeat: int) -> float:
    """Microseconds per call, the median of rounds of `repeat` calls."""
    fn()
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(repeat):
            fn()
        rounds.append((time.perf_counter() - started) / repeat * 1e6)
    return round(statistics.median(rounds), 2)


def codecs() -> dict[str, float]:
    views, encoder = [server(i) for i in range(1000)], Encoder(ServerView)
    decoder = Decoder(CreateServer, "server")
    body = msgspec.json.encode(
        {
            "server": {
                "name": "a server",
                "imageRef": UUID,
                "flavorRef": "1",
                "networks": [{"uuid": UUID}],
                "metadata": {"a": "b"},
                "config_drive": "true",
            }
        }
    )
    return {
        "encode_1000_details_ms": median_us(lambda: msgspec.json.encode(encoder.many(views, NEWEST)), 1) / 1000,
        "encode_1000_details_bytes": len(msgspec.json.encode(encoder.many(views, NEWEST))),
        "encode_one_us": median_us(lambda: msgspec.json.encode(encoder.one(views[0], NEWEST)), 500),
        "decode_create_us": median_us(lambda: decoder.from_json(body, NEWEST), 500),
    }


def policy() -> dict[str, float]:
    rules = Policy([PolicyRule("x:plain", "member"), PolicyRule("x:odd", check="role:member and taste:%(taste)s")])
    member, target = caller("p1", "member"), {"project_id": "p1", "taste": "sweet"}
    return {
        "policy_kept_us": median_us(lambda: rules.can(member, "x:plain", target), 1000),
        "policy_walked_us": median_us(lambda: rules.can(member, "x:odd", target), 200),
    }


class Nothing:
    def show(self, req: Request[None, Query]) -> None:
        return None

    def index(self, req: Request[None, Query]) -> Page:
        return Page(VIEWS)


VIEWS = [server(i) for i in range(1000)]
ROUTES = (
    Route("GET", "/nothing/{id}", Nothing().show, policy="x:show"),
    Route("GET", "/servers/detail", Nothing().index, policy="x:show", view=ServerView, view_key="servers"),
)


def rim() -> Rim:
    service = Service(
        "compute",
        mount="/compute",
        prefix="/v2.1",
        style=COMPUTE,
        routes=ROUTES,
        microversions=Microversions("compute", "2.1", "2.104", "X-OpenStack-Nova-API-Version"),
    )
    return Rim(
        [service],
        authenticator=FakeAuthenticator({"t": caller("p1", "member")}),
        policy=Policy([PolicyRule("x:show", "reader")]),
    )


def scope(path: str) -> dict[str, Any]:
    return {
        "type": "http", "method": "GET", "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(b"host", b"h"), (b"x-auth-token", b"t"), (b"openstack-api-version", b"compute latest")],
    }  # fmt: skip


async def requests(path: str, count: int) -> float:
    """Microseconds per request, one after the other, through the whole pipeline with its thread hop."""
    app = rim()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200, message

    await app(scope(path), receive, send)
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(count):
            await app(scope(path), receive, send)
        rounds.append((time.perf_counter() - started) / count * 1e6)
    return round(statistics.median(rounds), 1)


def main(*, quick: bool = False) -> Section:
    global ROUNDS  # noqa: PLW0603 - every measure here takes as many
    ROUNDS = 5 if quick else 15
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    figures = codecs() | policy()
    figures["empty_request_us"] = anyio.run(requests, "/compute/v2.1/nothing/1", 200)
    figures["list_1000_details_request_ms"] = anyio.run(requests, "/compute/v2.1/servers/detail", 2) / 1000
    return Section(
        what="The HTTP rim by itself: its codecs, its policy, and a request through the whole pipeline",
        how=f"no socket and no database; the median of {ROUNDS} rounds each",
        detail=figures,
    )
