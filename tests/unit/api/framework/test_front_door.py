"""What stands on the port: each kind of mount, who may come in, and how many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from kilonova.api.framework import Limits, Rim
from kilonova.api.framework.door import FrontDoor
from kilonova.api.framework.mounts import Mount
from tests.apiclient import FakeAuthenticator, caller, client
from tests.unit.api.framework.example import Kites, kite_service, policy

TOKENS = {"member": caller("abc", "member"), "reader": caller("abc", "reader"), "other": caller("xyz", "member")}
MIB = 1 << 20
CREATE = "os_compute_api:kites:create"


async def parrot(scope: Any, receive: Any, send: Any) -> None:
    """Says what it hears, and who it is that talks."""
    websocket = WebSocket(scope, receive, send)
    await websocket.accept()
    async for text in websocket.iter_text():
        if text == "break":
            raise RuntimeError("a bug")
        context = websocket.state.context
        await websocket.send_text(f"{context.project_id if context else None} {text}")


async def mute(_scope: Any, receive: Any, _send: Any) -> None:
    while True:
        await receive()


async def xml(scope: Any, receive: Any, send: Any) -> None:
    """A service that speaks XML, and takes bodies."""
    request = Request(scope, receive)
    if request.url.path.endswith("/nowhere"):
        raise HTTPException(404)
    if request.url.path.endswith("/bug"):
        raise RuntimeError("the password is 1234")
    body = await request.body()
    await Response(f"<got>{len(body)}</got>", media_type="text/xml")(scope, receive, send)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[TestClient]:
    (tmp_path / "page.html").write_text("<p>hello</p>")
    limits = Limits(websockets=2, project_websockets=1, websocket_idle_s=0.2)
    rim = Rim([kite_service(Kites())], authenticator=FakeAuthenticator(TOKENS), policy=policy(), limits=limits)
    mounts = [
        Mount("/ec2", "service", xml, auth=False),
        Mount("/ui", "pages", StaticFiles(directory=tmp_path), auth=False),
        Mount("/echo", "websocket", parrot),
        Mount("/echo/open", "websocket", parrot, auth=False),
        Mount("/echo/mute", "websocket", mute),
        Mount("/makers", "websocket", parrot, policy=CREATE),
    ]
    with client(FrontDoor(rim, mounts, origins=["https://console.example.org"]), "member") as made:
        yield made


def refused(door: TestClient, path: str, **headers: str) -> tuple[int, str]:
    with pytest.raises(WebSocketDenialResponse) as told, door.websocket_connect(path, headers=headers):
        pass
    (document,) = told.value.json().values()
    return told.value.status_code, document["message"]


def test_the_services_of_the_api_are_behind_it_as_before(door: TestClient) -> None:
    assert door.get("/compute/v2.1/kites").status_code == 200
    assert door.get("/nowhere").status_code == 404
    assert door.get("/ec2x").status_code == 404


def test_a_service_may_speak_what_it_likes(door: TestClient) -> None:
    answer = door.post("/ec2/", content=b"abc")
    assert (answer.text, answer.headers["content-type"]) == ("<got>3</got>", "text/xml; charset=utf-8")
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    assert door.get("/ec2/nowhere").status_code == 404
    assert door.get("/ec2/" + "a" * 5000).status_code == 414


def test_a_body_has_a_bound_whether_or_not_its_length_is_told(door: TestClient) -> None:
    assert door.post("/ec2/", content=bytes(MIB)).status_code == 200
    assert door.post("/ec2/", content=bytes(MIB + 1)).status_code == 413
    assert door.post("/ec2/", content=iter([bytes(MIB), b"a"])).status_code == 413


def test_a_bug_of_an_app_tells_nothing_but_its_request(door: TestClient) -> None:
    answer = door.get("/ec2/bug")
    assert answer.status_code == 500
    assert "1234" not in answer.text
    assert answer.headers["x-openstack-request-id"] in answer.text


def test_files_and_pages_are_for_browsers(door: TestClient) -> None:
    answer = door.get("/ui/page.html")
    assert answer.text == "<p>hello</p>"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert door.get("/ui/../pyproject.toml").status_code == 404
    assert door.get("/ui/%2e%2e/pyproject.toml").status_code == 404
    assert door.post("/ui/page.html").status_code == 405


def test_a_websocket_knows_its_caller(door: TestClient) -> None:
    with door.websocket_connect("/echo", headers={"X-Auth-Token": "other"}) as talk:
        talk.send_text("hello")
        assert talk.receive_text() == "xyz hello"
    with door.websocket_connect("/echo/open/below") as talk:
        talk.send_text("hello")
        assert talk.receive_text() == "None hello"


@pytest.mark.parametrize("path", ["/", "/nowhere", "/compute/v2.1/kites", "/ec2", "/ui/page.html", "/echox"])
def test_where_no_websocket_is_the_answer_is_404(door: TestClient, path: str) -> None:
    assert refused(door, path) == (404, "There is no websocket at this path.")


def test_a_server_that_cannot_tell_why_still_closes(door: TestClient) -> None:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "websocket", "path": "/nowhere", "headers": [], "client": None}
    assert door.portal is not None
    rim = Rim([], authenticator=FakeAuthenticator({}), policy=policy())
    door.portal.call(FrontDoor(rim), scope, None, send)
    assert said == [{"type": "websocket.close", "code": 1008}]


def test_a_request_to_a_websocket_is_told_to_upgrade(door: TestClient) -> None:
    answer = door.get("/echo")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert "websocket client" in answer.text


def test_who_has_no_token_or_no_right_stays_outside(door: TestClient) -> None:
    assert refused(door, "/echo", **{"X-Auth-Token": ""})[0] == 401
    assert refused(door, "/echo", **{"X-Auth-Token": "unknown"})[0] == 401
    assert refused(door, "/makers", **{"X-Auth-Token": "reader"})[0] == 403
    with door.websocket_connect("/makers"):
        pass


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://testserver:81", "null", "https://testserver"])
def test_pages_of_others_open_no_websocket(door: TestClient, origin: str) -> None:
    status, message = refused(door, "/echo", Origin=origin)
    assert status == 403
    assert "allowed_origins" in message


@pytest.mark.parametrize("origin", ["http://testserver", "https://console.example.org"])
def test_pages_of_ours_and_of_named_origins_do(door: TestClient, origin: str) -> None:
    with door.websocket_connect("/echo", headers={"Origin": origin}) as talk:
        talk.send_text("hello")
        assert talk.receive_text() == "abc hello"


def test_a_project_has_so_many_and_the_process_so_many() -> None:
    limits = Limits(websockets=2, project_websockets=1)
    rim = Rim([], authenticator=FakeAuthenticator(TOKENS), policy=policy(), limits=limits)
    with client(
        FrontDoor(rim, [Mount("/echo", "websocket", parrot), Mount("/o", "websocket", parrot, auth=False)])
    ) as door:
        with ExitStack() as stack:
            stack.enter_context(door.websocket_connect("/echo", headers={"X-Auth-Token": "member"}))
            status, message = refused(door, "/echo", **{"X-Auth-Token": "reader"})
            assert (status, "project abc" in message) == (429, True)
            stack.enter_context(door.websocket_connect("/echo", headers={"X-Auth-Token": "other"}))
            assert refused(door, "/o")[0] == 503
            assert rim.transfers.counts()["websockets"] == {"inside": 2, "limit": 2, "refused": 2}
        with door.websocket_connect("/echo", headers={"X-Auth-Token": "reader"}):
            pass
        assert rim.transfers.counts()["websockets"]["inside"] == 0


def test_a_websocket_on_which_nothing_is_said_ends(door: TestClient) -> None:
    with door.websocket_connect("/echo") as talk, pytest.raises(WebSocketDisconnect) as told:
        talk.receive_text()
    assert (told.value.code, "Nothing was said" in told.value.reason) == (1001, True)
    assert refused(door, "/echo/mute")[0] == 503


def test_a_bug_closes_the_websocket(door: TestClient) -> None:
    with door.websocket_connect("/echo") as talk:
        talk.send_text("break")
        with pytest.raises(WebSocketDisconnect) as told:
            talk.receive_text()
    assert told.value.code == 1011
