from typing import Any

import pytest

from kilonova.api.framework import BadMethod, NoRoute, Route, between, since, until
from kilonova.api.framework.router import Match, Router
from kilonova.api.framework.versions import Version
from kilonova.domain.errors import Rejected

V = Version.parse


def nothing(req: Any) -> None:
    return None


def route(method: str, path: str, **more: Any) -> Any:
    return Route(method, path, nothing, **more)


ROUTER = Router(
    [
        route("GET", "/servers"),
        route("GET", "/servers/detail", name="detail"),
        route("GET", "/servers/{id}", name="one"),
        route("GET", "/servers/{id}/tags/{tag}", name="tag"),
        route("DELETE", "/keys/{id}", versions=until("2.1"), name="old"),
        route("DELETE", "/keys/{id}", versions=since("2.2"), name="new"),
        route("GET", "/hosts", versions=until("2.42")),
        route("POST", "/servers/{id}/action", action="lock"),
        route("POST", "/servers/{id}/action", action="move", versions=between("2.3", "2.5")),
    ],
    project_in_path=True,
)


def label(method: str, path: str, version: Any = "2.1") -> Any:
    found = ROUTER.match(method, path, V(version))
    assert isinstance(found, Match), found
    return found.routes[0].label, dict(found.params), found.project_id


def test_literals_win_and_ways_back_exist() -> None:
    assert label("GET", "/servers/detail") == ("detail", {}, None)
    assert label("GET", "/servers/detail/tags/x") == ("tag", {"id": "detail", "tag": "x"}, None)
    assert label("GET", "/servers/s1/") == ("one", {"id": "s1"}, None)


def test_an_encoded_slash_stays_in_its_segment() -> None:
    assert label("GET", "/servers/s1/tags/a%2Fb%20c")[1] == {"id": "s1", "tag": "a/b c"}


def test_the_project_may_stand_in_front() -> None:
    assert label("GET", "/0af3-c/servers/detail") == ("detail", {}, "0af3-c")
    assert isinstance(ROUTER.match("GET", "/other/servers", V("2.1")), NoRoute)


def test_versions_choose_between_routes() -> None:
    assert label("DELETE", "/keys/a", "2.1")[0] == "old"
    assert label("DELETE", "/keys/a", "2.2")[0] == "new"


def test_what_leads_nowhere_is_told_apart() -> None:
    assert isinstance(ROUTER.match("GET", "/nix", V("2.1")), NoRoute)
    assert isinstance(ROUTER.match("GET", "/servers//tags/x", V("2.1")), NoRoute)
    assert isinstance(ROUTER.match("GET", "/hosts", V("2.43")), NoRoute)
    wrong = ROUTER.match("PATCH", "/servers", V("2.1"))
    assert isinstance(wrong, BadMethod)
    assert wrong.allowed == ("GET",)


def test_head_is_get_without_its_body() -> None:
    assert label("HEAD", "/servers")[0] == "GET /servers"


def test_actions_are_picked_by_key_and_version() -> None:
    group = ROUTER.match("POST", "/servers/s1/action", V("2.1"))
    assert isinstance(group, Match)
    assert group.route is None
    assert group.pick("lock", V("2.1")).action == "lock"
    assert group.pick("move", V("2.3")).action == "move"
    with pytest.raises(NoRoute):
        group.pick("move", V("2.6"))
    with pytest.raises(Rejected, match="no such action: nix"):
        group.pick("nix", V("2.3"))


@pytest.mark.parametrize(
    "second",
    [
        route("GET", "/a", versions=since("2.5")),
        route("GET", "/a", action="x"),
        route("GET", "/{b}/c"),
    ],
)
def test_ambiguous_tables_are_refused(second: Any) -> None:
    with pytest.raises(TypeError):
        Router([route("GET", "/a", versions=until("2.5")), route("GET", "/{x}/c"), second])
