"""The whole way of a request, on the example service."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any, Never

import anyio
import anyio.lowlevel
import httpx2
import msgspec
import pytest
import structlog
from prometheus_client import CollectorRegistry
from starlette.testclient import TestClient

from kilonova.api.framework import NETWORK, Limits, Reply, Rim, RimMetrics, Route, Service, Stream, View
from kilonova.api.framework.testing import FakeAuthenticator, caller, client, compile_all
from kilonova.domain.errors import Unavailable
from tests.unit.api.framework.conftest import CALLERS
from tests.unit.api.framework.example import Kites, kite_service, policy

BASE = "/compute/v2.1"
REQUEST_ID = re.compile(r"\Areq-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


def message(reply: Any) -> Any:
    ((_, body),) = reply.json().items()
    assert body["code"] == reply.status_code
    return body["message"]


def post(api: TestClient, path: str, body: Any, **headers: Any) -> Any:
    return api.post(BASE + path, content=body, headers={"Content-Type": "application/json"} | headers)


# --- identity and policy ---


@pytest.mark.parametrize("path", ["/kites", "/nowhere", "/kites/k1/action"])
@pytest.mark.parametrize("token", [None, "alien"])
def test_without_a_token_nothing_is_learnt(
    open_client: Callable[..., TestClient], path: str, token: str | None
) -> None:
    reply = open_client(token).get(BASE + path, headers={"OpenStack-API-Version": "compute 9.9"})
    assert reply.status_code == 401
    assert reply.json()["unauthorized"]["code"] == 401
    assert reply.headers["WWW-Authenticate"] == 'Keystone uri="http://testserver/identity"'


def test_discovery_needs_no_token(open_client: Callable[..., TestClient]) -> None:
    for path in ("/compute", "/compute/"):
        assert open_client(None).get(path).json() == {"versions": ["http://testserver/compute"]}


def test_policy_refuses_before_the_body_is_looked_at(open_client: Callable[..., TestClient]) -> None:
    reply = post(open_client("reader"), "/kites", b"junk")
    assert reply.status_code == 403
    assert message(reply) == "Policy doesn't allow os_compute_api:kites:create to be performed."


def test_a_handler_may_ask_what_to_show(open_client: Callable[..., TestClient]) -> None:
    assert "OS-EXT-SRV-ATTR:host" not in open_client("reader").get(BASE + "/kites/k1").json()["kite"]
    assert open_client("admin").get(BASE + "/kites/k1").json()["kite"]["OS-EXT-SRV-ATTR:host"] == "h1"


def test_a_project_in_the_path_must_be_the_tokens_own(api: TestClient) -> None:
    assert api.get("/compute/v2.1/abc/kites/k1").status_code == 200
    reply = api.get("/compute/v2.1/abd/kites/k1")
    assert reply.status_code == 400
    assert "'abd' doesn't match" in message(reply)


def test_links_keep_the_project_where_the_client_had_it(api: TestClient, kites: Kites) -> None:
    reply = post(api, "/abc/kites", b'{"kite": {"name": "x"}}')
    assert reply.status_code == 202
    assert reply.headers["Location"] == "http://testserver/compute/v2.1/abc/kites/k9"
    assert kites.seen.root_url == "http://testserver/compute/abc"


# --- microversions ---


def test_versions_are_negotiated_and_echoed(api: TestClient) -> None:
    for headers, spoken in (
        ({}, "2.1"),
        ({"OpenStack-API-Version": "compute 2.6"}, "2.6"),
        ({"OpenStack-API-Version": "volume 3.1, compute latest"}, "2.10"),
        ({"OpenStack-API-Version": "volume 3.1"}, "2.1"),
        ({"X-OpenStack-Nova-API-Version": "2.5"}, "2.5"),
        ({"X-OpenStack-Nova-API-Version": "2.5", "OpenStack-API-Version": "compute 2.6"}, "2.6"),
    ):
        reply = api.get(BASE + "/kites/k1", headers=headers)
        assert reply.status_code == 200
        assert reply.headers["OpenStack-API-Version"] == f"compute {spoken}"
        assert reply.headers["X-OpenStack-Nova-API-Version"] == spoken
        assert reply.headers["Vary"] == "OpenStack-API-Version, X-OpenStack-Nova-API-Version"


@pytest.mark.parametrize(("asked", "status"), [("2.11", 406), ("2.0", 406), ("2.x", 400), ("", 400), ("2.1 2.2", 400)])
def test_versions_that_are_not_spoken(api: TestClient, asked: Any, status: int) -> None:
    reply = api.get(BASE + "/kites", headers={"OpenStack-API-Version": f"compute {asked}"})
    assert reply.status_code == status
    assert "Vary" in reply.headers
    assert message(reply)


def test_a_status_may_change_with_the_version(open_client: Callable[..., TestClient]) -> None:
    assert open_client(version="compute 2.1").delete(BASE + "/kites/k1").status_code == 202
    reply = open_client(version="compute 2.2").delete(BASE + "/kites/k2")
    assert (reply.status_code, reply.content) == (204, b"")
    assert "content-length" not in reply.headers


def test_a_service_without_microversions_says_nothing_of_them(open_client: Callable[..., TestClient]) -> None:
    reply = open_client(microversions=None).get(BASE + "/kites/k1")
    assert reply.status_code == 200
    assert "Vary" not in reply.headers


# --- routes ---


def test_unknown_paths_and_methods_are_not_found(api: TestClient) -> None:
    for method, path in (("GET", "/nix"), ("PATCH", "/kites"), ("GET", "/kites/k1/nix"), ("BREW", "/kites")):
        assert api.request(method, BASE + path).status_code == 404
    assert api.get("/elsewhere").status_code == 404
    assert api.get("/compute/v2.11/kites").status_code == 404
    assert api.get("/computer").status_code == 404


def test_a_service_may_tell_its_methods(open_client: Callable[..., TestClient]) -> None:
    reply = open_client(tell_methods=True, style=NETWORK).patch(BASE + "/kites")
    assert reply.status_code == 405
    assert reply.headers["Allow"] == "GET, POST"
    assert reply.json()["NeutronError"]["type"] == "HTTPMethodNotAllowed"


def test_what_is_gone_says_so(api: TestClient) -> None:
    assert api.get(BASE + "/os-balloons").status_code == 410
    assert post(api, "/kites/k1/action", b'{"burst": null}').status_code == 410


def test_head_has_gets_headers_and_no_body(api: TestClient) -> None:
    get, head = api.get(BASE + "/kites/k1"), api.head(BASE + "/kites/k1")
    assert head.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


# --- actions ---


def test_actions_are_told_apart_by_their_key(open_client: Callable[..., TestClient], kites: Kites) -> None:
    api = open_client(version="compute 2.3")
    assert post(api, "/kites/k1/action", b'{"cutString": {"force": "on"}}').status_code == 202
    assert kites.seen.params.force is True
    assert post(api, "/kites/k1/action", b'{"land": null}').status_code == 202
    assert kites.seen.params is None
    assert kites.seen.path == {"kite_id": "k1"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"nix": {}}', 400),
        (b"{}", 400),
        (b'{"land": null, "cutString": {}}', 400),
        (b'{"cutString": {}}', 404),
        (b'{"land": {"force": 7}}', 400),
        (b'{"land": []}', 400),
        (b"[]", 400),
        (b"null", 400),
        (b"", 400),
        (b"{", 400),
        (b'{"land": ' + b"[" * 90_000, 400),
        (b'{"land": {"force": "\\u0000"}}', 400),
    ],
)
def test_wrong_actions(api: TestClient, body: Any, status: int) -> None:
    assert post(api, "/kites/k1/action", body).status_code == status


def test_wrong_fields_of_actions_are_named(api: TestClient) -> None:
    assert "land.force:" in message(post(api, "/kites/k1/action", b'{"land": {"force": 7}}'))


# --- bodies ---


def test_wrong_fields_are_named_as_sent(api: TestClient) -> None:
    assert "kite.OS-KITE:string" in message(post(api, "/kites", b'{"kite": {"name": "x", "OS-KITE:string": 0}}'))


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b"\xff", b"[" * 90_000, b'{"kite": 1}', b"{}"])
def test_broken_bodies_are_400(api: TestClient, body: Any) -> None:
    assert post(api, "/kites", body).status_code == 400


def test_nul_characters_are_refused_and_their_spelling_is_not(api: TestClient, kites: Kites) -> None:
    reply = post(api, "/kites", rb'{"kite": {"name": "x", "metadata": {"a": "b\u0000"}}}')
    assert reply.status_code == 400
    assert "NUL" in message(reply)
    assert post(api, "/kites", rb'{"kite": {"name": "x", "metadata": {"a": "b\\u0000"}}}').status_code == 202
    assert kites.seen.params.metadata == {"a": r"b\u0000"}
    for path in ("/kites/%00", "/kites?name=%00"):
        assert api.get(BASE + path).status_code == 400


@pytest.mark.parametrize(("kind", "status"), [("text/plain", 415), ("application/json; charset=utf-8", 202), ("", 202)])
def test_only_json_is_read(api: TestClient, kind: Any, status: int) -> None:
    assert post(api, "/kites", b'{"kite": {"name": "x"}}', **{"Content-Type": kind}).status_code == status


def test_a_route_may_read_another_type(api: TestClient, kites: Kites) -> None:
    send = {"content": b'[{"length": 1}]'}
    assert api.patch(BASE + "/hooks", headers={"Content-Type": "application/x-patch+json"}, **send).status_code == 204
    assert [tail.length for tail in kites.seen.params] == [1]
    assert api.patch(BASE + "/hooks", headers={"Content-Type": "application/json"}, **send).status_code == 415


def test_a_body_has_a_size(open_client: Callable[..., TestClient]) -> None:
    api = open_client(max_body=100)
    big = b'{"kite": {"name": "' + b"x" * 100 + b'"}}'
    for body in (big, iter([big[:90], big[90:]])):
        reply = post(api, "/kites", body)
        assert reply.status_code == 413
        assert "100 bytes" in message(reply)
    assert post(api, "/kites", b'{"kite": {"name": "x"}}').status_code == 202


def test_a_broken_content_length_is_refused(api: TestClient) -> None:
    assert post(api, "/kites", b"{}", **{"Content-Length": "many"}).status_code == 400


# --- queries and lists ---


def test_lists_page(api: TestClient) -> None:
    seen, url = [], BASE + "/kites?limit=2"
    while url:
        reply = api.get(url).json()
        seen += [kite["id"] for kite in reply["kites"]]
        url = reply["kites_links"][0]["href"] if "kites_links" in reply else None
    assert seen == ["k0", "k1", "k2", "k3", "k4"]


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "sort_key=nix", "sort_key=name&sort_dir=up"])
def test_wrong_queries_are_400(api: TestClient, query: Any) -> None:
    assert api.get(f"{BASE}/kites?{query}").status_code == 400


def test_unknown_query_keys_are_refused_from_their_version(open_client: Callable[..., TestClient]) -> None:
    assert open_client(version="compute 2.9").get(BASE + "/kites?nix=1").status_code == 200
    assert open_client(version="compute 2.10").get(BASE + "/kites?nix=1").status_code == 400


# --- streams ---


def test_uploads_pass_the_size_limit_and_come_in_chunks(open_client: Callable[..., TestClient], kites: Kites) -> None:
    reply = open_client(max_body=10).put(BASE + "/kites/k1/file", content=iter([b"ab", b"cdefg", b"x" * 50_000]))
    assert reply.status_code == 204
    assert kites.uploaded == 50_007


def test_downloads_stream_and_are_closed(api: TestClient, kites: Kites) -> None:
    reply = api.get(BASE + "/kites/k1/file")
    assert reply.content == b"x" * 4000
    assert reply.headers["Content-Length"] == "4000"
    assert kites.closed.wait(5)


def test_a_head_of_a_download_draws_nothing(api: TestClient) -> None:
    reply = api.head(BASE + "/kites/k1/file")
    assert (reply.status_code, reply.content, reply.headers["Content-Length"]) == (200, b"", "4000")


# --- errors, ids, logs, counters ---


@pytest.mark.parametrize(
    ("how", "status", "key"), [("conflict", 409, "conflictingRequest"), ("quota", 403, "forbidden")]
)
def test_errors_of_the_domain_are_translated(api: TestClient, how: Any, status: int, key: Any) -> None:
    reply = api.get(f"{BASE}/fail/{how}")
    assert (reply.status_code, list(reply.json())) == (status, [key])


def test_unavailable_says_when_to_come_back(api: TestClient) -> None:
    reply = api.get(BASE + "/fail/later")
    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "7")


def test_a_bug_tells_the_user_only_its_id(api: TestClient) -> None:
    with structlog.testing.capture_logs() as logs:
        reply = api.get(BASE + "/fail/bug")
    assert reply.status_code == 500
    assert reply.headers["X-Openstack-Request-Id"] in message(reply)
    assert "hunter2" not in reply.text
    bug = next(entry for entry in logs if entry["event"] == "bug")
    assert "ZeroDivisionError" in bug["traceback"]
    assert "locals" not in bug["traceback"]


def test_every_reply_has_its_ids(api: TestClient) -> None:
    for path in ("/kites/k1", "/kites/none", "/nix"):
        headers = api.get(BASE + path).headers
        assert REQUEST_ID.match(headers["X-Openstack-Request-Id"])
        assert headers["X-Compute-Request-Id"] == headers["X-Openstack-Request-Id"]


def test_the_context_has_the_id_that_is_told(api: TestClient, kites: Kites) -> None:
    reply = api.get(BASE + "/kites/k1")
    assert kites.seen.ctx.request_id == reply.headers["X-Openstack-Request-Id"]


def test_the_access_log_names_the_route_and_never_the_token(kites: Kites) -> None:
    secret = "s3cr3t-token"
    rim = Rim([kite_service(kites)], authenticator=FakeAuthenticator({secret: CALLERS["member"]}), policy=policy())
    with client(rim, secret) as api, structlog.testing.capture_logs() as logs:
        api.get(BASE + "/kites/k1")
        api.get(BASE + "/fail/bug")
    assert logs[0] | {"route": "GET /kites/{kite_id}", "status": 200, "project_id": "abc", "version": "2.1"} == logs[0]
    assert secret not in repr(logs)


def test_counters_know_routes_and_never_ids(kites: Kites) -> None:
    registry = CollectorRegistry()
    rim = Rim(
        [kite_service(kites)],
        authenticator=FakeAuthenticator(CALLERS),
        policy=policy(),
        metrics=RimMetrics(registry),
    )
    with client(rim, "member") as api:
        for path in ("/kites/k1", "/kites/k2", "/kites/none", "/nix"):
            api.get(BASE + path)

    def count(route: Any, status: int) -> Any:
        labels = {"service": "compute", "route": route, "status": status}
        return registry.get_sample_value("kilonova_api_requests_total", labels)

    assert count("GET /kites/{kite_id}", "200") == 2
    assert count("GET /kites/{kite_id}", "404") == 1
    assert count("unmatched", "404") == 1


def test_the_identity_service_being_away_is_503(kites: Kites) -> None:
    class Away:
        def authenticate(self, token: str | None) -> Never:
            raise Unavailable("Identity is away.")

    with client(Rim([kite_service(kites)], authenticator=Away(), policy=policy()), "x") as api:
        assert api.get(BASE + "/kites").status_code == 503


def test_handlers_run_beside_the_event_loop(api: TestClient, kites: Kites) -> None:
    api.get(BASE + "/kites/k1")
    assert threading.get_ident() not in kites.threads


def test_an_overlong_queue_is_refused_at_once(kites: Kites) -> None:
    """One thread, one waiting: of three requests at a time the third hears 503 while the first still runs."""
    inside, leave = threading.Event(), threading.Event()

    class Slow(Kites):
        def show(self, req: Any) -> Any:
            inside.set()
            assert leave.wait(10)
            return super().show(req)

    slow = Slow()
    rim = Rim(
        [kite_service(slow)],
        authenticator=FakeAuthenticator(CALLERS),
        policy=policy(),
        limits=Limits(threads=1, waiting=1),
    )

    async def crowd() -> list[int]:
        statuses: list[int] = []
        transport = httpx2.ASGITransport(app=rim)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://h", headers={"X-Auth-Token": "member"}
        ) as http:

            async def get() -> None:
                statuses.append((await http.get(BASE + "/kites/k1")).status_code)
                leave.set()

            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(get)
        return statuses

    assert anyio.run(crowd) == [503, 200, 200]
    assert inside.is_set()


def test_a_client_that_leaves_is_not_answered(kites: Kites) -> None:
    rim = Rim([kite_service(kites)], authenticator=FakeAuthenticator(CALLERS), policy=policy())
    sent = []

    async def leave() -> None:
        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "scheme": "http",
            "path": BASE + "/kites",
            "query_string": b"",
            "headers": [(b"x-auth-token", b"member")],
        }
        await rim(scope, receive, send)

    anyio.run(leave)
    assert sent == []


def test_a_broken_upload_is_rejected(kites: Kites) -> None:
    rim = Rim([kite_service(kites)], authenticator=FakeAuthenticator(CALLERS), policy=policy())
    sent = []

    async def break_off() -> None:
        messages = iter([{"type": "http.request", "body": b"abcd", "more_body": True}, {"type": "http.disconnect"}])

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "PUT",
            "scheme": "http",
            "path": BASE + "/kites/k1/file",
            "query_string": b"",
            "headers": [(b"x-auth-token", b"member")],
        }
        await rim(scope, receive, send)

    anyio.run(break_off)
    assert sent[0]["status"] == 400


def test_several_services_share_a_port(kites: Kites) -> None:
    other = Service("network", mount="/networking", prefix="/v2.0", style=NETWORK, routes=[])
    rim = Rim([kite_service(kites), other], authenticator=FakeAuthenticator(CALLERS), policy=policy())
    with client(rim, "member") as api:
        assert "NeutronError" in api.get("/networking/v2.0/nix").json()
        assert "itemNotFound" in api.get(BASE + "/nix").json()


def test_a_fixed_public_url_makes_the_links(kites: Kites) -> None:
    rim = Rim(
        [kite_service(kites)],
        authenticator=FakeAuthenticator({"t": caller("abc", "member")}),
        policy=policy(),
        public_url="https://cloud.example.org",
    )
    with client(rim, "t") as api:
        links = msgspec.json.decode(api.get(BASE + "/kites?limit=1").content)["kites_links"]
    assert links[0]["href"] == "https://cloud.example.org/compute/v2.1/kites?limit=1&marker=k0"


def run_raw(rim: Rim, path: str, arriving: Any) -> list[Any]:
    """One GET on the bare ASGI interface; `arriving` is the coroutine function that gives what the client sends."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "path": BASE + path,
        "query_string": b"",
        "headers": [(b"x-auth-token", b"member")],
    }
    anyio.run(rim, scope, arriving, send)
    return sent


class Torrents(Kites):
    """Downloads that go wrong."""

    def __init__(self, *, broken: bool) -> None:
        super().__init__()
        self.broken = broken
        self.drawn = 0

    def download(self, req: Any) -> Stream:
        def chunks() -> Any:
            try:
                while True:
                    self.drawn += 1
                    if self.broken and self.drawn == 3:
                        raise OSError("the disk is on fire")
                    yield b"x"
            finally:
                self.closed.set()

        return Stream(chunks())


def rim_of(kites: Kites) -> Rim:
    return Rim([kite_service(kites)], authenticator=FakeAuthenticator(CALLERS), policy=policy())


def test_a_client_that_leaves_a_download_ends_it() -> None:
    torrents = Torrents(broken=False)

    async def arriving() -> Any:
        with anyio.fail_after(10):
            while torrents.drawn < 3:
                await anyio.lowlevel.checkpoint()
        return {"type": "http.disconnect"}

    with structlog.testing.capture_logs() as logs:
        run_raw(rim_of(torrents), "/kites/k1/file", arriving)
    assert torrents.closed.is_set()
    assert logs[-1]["status"] == 499


def test_a_download_that_breaks_is_broken_off_and_logged() -> None:
    torrents = Torrents(broken=True)

    async def arriving() -> Any:
        await anyio.sleep_forever()

    with structlog.testing.capture_logs() as logs:
        sent = run_raw(rim_of(torrents), "/kites/k1/file", arriving)
    assert [message.get("body") for message in sent[1:]] == [b"x", b"x"]
    assert all(message["more_body"] for message in sent[1:])
    assert "the disk is on fire" in next(entry for entry in logs if entry["event"] == "bug")["traceback"]
    assert torrents.closed.is_set()


def test_line_breaks_cannot_get_into_headers(kites: Kites) -> None:
    class Careless(Kites):
        def show(self, req: Any) -> Any:
            return Reply(None, headers={"Location": "http://h/\r\nSet-Cookie: a=b"})

    with client(rim_of(Careless()), "member") as api:
        headers = api.get(BASE + "/kites/k1").headers
    assert "Set-Cookie" not in headers
    assert headers["Location"] == "http://h/ Set-Cookie: a=b"


def test_a_query_has_a_number_of_parts(api: TestClient) -> None:
    assert api.get(BASE + "/kites?" + "&".join(["tag=a"] * 1000)).status_code == 200
    assert api.get(BASE + "/kites?" + "&".join(["tag=a"] * 1001)).status_code == 400


def test_every_codec_of_every_version_compiles(kites: Kites) -> None:
    assert compile_all(kite_service(kites)) > 20


def test_a_broken_annotation_is_told_at_the_start(kites: Kites) -> None:
    class Broken(View):
        name: "Unheard"  # noqa: F821, UP037

    with pytest.raises(NameError):
        kite_service(kites, routes=[Route("GET", "/x", Kites.plain, view=Broken)])
