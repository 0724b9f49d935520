"""
What holds for every route of every service, taken from the tables alone: who gets in, and what junk does.

A door that is added is tried from the day it is in its table. That junk does not change anything is not asked here (some of it
may be taken for a name), only that it is answered as a client's mistake.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.story.generic.judge import judge
from tests.story.generic.tables import DOORS, Door, bodies, each
from tests.story.hostile.things import Things, own
from tests.story.hostile.world import World

GUARDED = [door for door in DOORS if door.route.auth]
WITH_BODY = [door for door in DOORS if door.route.params is not None]
WITH_ID = [door for door in DOORS if "{" in door.route.path]
READS = [door for door in DOORS if door.route.method == "GET" and door.service != "metrics"]  # counting takes its time


@pytest.fixture(scope="module")
def victim(cloud: World) -> Things:
    """Somebody whose things may come to harm."""
    return own(cloud, cloud.b)


def send(cloud: World, door: Door, token: str | None, path: str, **more: Any) -> Any:
    version = more.pop("version", door.versions[-1])
    headers = {**({} if token is None else {"X-Auth-Token": token.encode("latin-1")}), **more.pop("headers", {})}
    if version:
        headers["OpenStack-API-Version"] = f"compute {version}"
    if "content" in more:
        headers.setdefault("Content-Type", door.route.media[0])
    return cloud.http.request(door.route.method, path, headers=headers, **more)


def action(door: Door) -> dict[str, Any]:
    """The least that leads to an action's door."""
    return {"content": json.dumps({door.route.action: None}).encode()} if door.route.action else {}


@each(GUARDED)
def test_nobody_gets_in(cloud: World, door: Door) -> None:
    forged = cloud.admin.token[:-4] + "AAAA"
    for token in (None, "", " ", cloud.expired, cloud.alien, forged, "x" * 9000, "\xe9\xff", "../admin", "admin"):
        answer = send(cloud, door, token, door.path(), **action(door))
        judge(answer, token)
        assert answer.status_code == 401, (token, answer.text)
        assert answer.headers["WWW-Authenticate"].startswith("Keystone uri=")


@each(WITH_BODY)
def test_a_body_with_one_thing_wrong_is_a_clients_mistake(cloud: World, victim: Things, door: Door) -> None:
    if door.label == "identity POST /auth/tokens":
        pytest.skip("test_login tries it, without filling the table of failed logins")
    paths = victim.paths(door.service, door.route.path)
    for version in door.versions:
        for body in bodies(
            door, version, {**paths, "project_id": victim.owner.project_id, "tenant_id": victim.owner.project_id}
        ):
            content = json.dumps(body).encode()
            answer = send(cloud, door, cloud.admin.token, door.path(paths), content=content, version=version)
            judge(answer, (version, content[:300]))


RAW = (
    b"", b"{", b"null", b"5", b'"x"', b"[]", b"[[[[]]]]", b"{}", b"\x00", b"\xff\xfe{}", b'{"KEY": NaN}',
    b'{"KEY": Infinity}',
    b'{"KEY": -0e99999}', b'{"KEY": {}, "KEY": []}', b'{"KEY": {}} {"KEY": {}}', b'{"KEY": "\xff"}',
    b'{"KEY": {"name": "\\u0000"}}',
    b'{"KEY": {"name": "\\ud800"}}', b'{"KEY": ' + b"[" * 5000, b'{"KEY": ' + b'{"a":' * 5000,
    b'{"KEY": ' + b"[" * 400 + b"]" * 400 + b"}",
    b'{"KEY": {"a": ' + b"9" * 5000 + b"}}", b"<KEY/>", b"KEY=1&KEY=2",
)  # fmt: skip


@each(WITH_BODY)
def test_what_is_no_body_at_all_is_a_clients_mistake(cloud: World, door: Door) -> None:
    key = (door.route.action or door.route.params_key or "server").encode()
    for raw in RAW:
        answer = send(cloud, door, cloud.admin.token, door.path(), content=raw.replace(b"KEY", key))
        judge(answer, raw[:100])
    for media in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/json" * 50):
        answer = send(cloud, door, cloud.admin.token, door.path(), content=b"{}", headers={"Content-Type": media})
        judge(answer, media)
        assert answer.status_code in (400, 404, 415), answer.text


@each(WITH_BODY)
def test_a_body_beyond_the_limit_is_refused_unread(cloud: World, door: Door) -> None:
    if door.service == "identity" and not door.route.auth:
        pytest.skip("a login counts")
    piece = b" " * 65536
    said = send(cloud, door, cloud.admin.token, door.path(), content=b"{}", headers={"Content-Length": str(2**40)})
    chunked = send(cloud, door, cloud.admin.token, door.path(), content=iter([piece] * 20))
    for answer in (said, chunked):
        judge(answer)
        assert answer.status_code == 413, answer.text


IDS = (
    "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2Fetc%2Fpasswd", "%00", "a%00b", "%0d%0aX-Evil:%201", "%ff%fe", "%",
    "%zz", "x" * 10_000,
    "%E2%98%83", "%F0%9F%92%A5", "'%20OR%201=1--", "%22%3B--", "%25", "_", "*", "%7B%7D", "-1", "0",
    "99999999999999999999", "null",
    "1e9", "%20", "%C2%A0", "a%2Cb", "%3Cscript%3E", "NaN", "$(id)", "{0.__class__}",
)  # fmt: skip


@each(WITH_ID)
def test_an_absurd_id_is_missing_or_wrong(cloud: World, door: Door) -> None:
    body = action(door) or ({"content": b"{}"} if door.route.params is not None else {})
    for ident in IDS:
        answer = send(cloud, door, cloud.admin.token, door.path(default=ident), **body)
        judge(answer, ident[:80])
        if len(answer.content) and answer.status_code >= 400:
            assert "x" * 1500 not in answer.text


QUERIES = (
    "limit=-1", "limit=abc", "limit=", "limit=1.5", "limit=99999999999999999999", "limit=%00", "limit=0x10",
    "limit=1&limit=x", "marker=",
    "marker=%00", "marker=%ff", "marker=nobody", "marker=" + "m" * 5000,
    f"marker={'1' * 8}-2222-4333-8444-555555555555",
    "sort_key=nonsense", "sort_key=id%3B--", "sort_key=id&sort_key=id&sort_dir=asc&sort_dir=up", "sort_dir=sideways",
    "sort=name:up,:",
    "sort=" + "id:asc," * 500, "&".join(f"k{i}=v" for i in range(1001)), "&".join("limit=1" for _ in range(900)),
    "=", "&&&", "?", "a[]=1",
    "name=%27", "name=(a%2B)%2B%24", "name=%5B", "name=" + "%28" * 3000, "name=%F0%9F%92%A5", "name=%25%25",
    "name__contains=x", "fields=",
    "fields=__class__&fields=id", "fields=password_hash", "id=%00", "created_at=in:",
    "created_at=gte:0001-01-01T00:00:00%2B14:00",
    "changes-since=0001-01-01T00:00:00%2B14:00", "changes-before=9999-12-31T23:59:59-14:00", "changes_since=x",
    "size_min=x",
    "size_max=99999999999999999999", "all_tenants=maybe", "deleted=perhaps", "status=%00", "tags=a,,b",
    "not-tags=" + "t," * 500,
    "visibility=none", "member_status=x", "owner=%00", "protected=x", "os_hidden=x", "enabled=maybe", "is_domain=x",
    "shared=maybe",
    "admin_state_up=x", "fixed_ips=subnet_id=", "fixed_ips=x", "fixed_ips=ip_address%3Dfe80::1%25x", "ip_version=x",
    "port_range_min=x",
    "revision_number=99999999999999999999", "mtu=x", "effective=x", "scope=x", "domain_id=%00",
    "group.id=%00&user.id=%00", "ip=%5B", "ip6=%5C",
)  # fmt: skip


@each(READS)
def test_an_absurd_query_is_refused_or_passed_over(cloud: World, door: Door) -> None:
    for version in door.versions:
        for query in QUERIES:
            answer = send(cloud, door, cloud.admin.token, f"{door.path()}?{query}", version=version)
            judge(answer, (version, query[:200]))


def test_a_path_that_leads_nowhere_is_missing_in_every_service(cloud: World) -> None:
    for path in ("/", "/nowhere", "/compute", "/compute/v2.1/../../identity/v3/users", "//compute//v2.1//servers",
    "/image/v2/images/../../..",
                 "/compute/v2.1/" + "a/" * 3000, "/metrics/../identity", "/%2e%2e/%2e%2e/etc/passwd",
                 "/compute/v9/servers"):  # fmt: skip
        for method in ("GET", "POST", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "HEAD"):
            answer = cloud.http.request(method, path, headers={"X-Auth-Token": cloud.a.token})
            assert answer.status_code < 500, (method, path, answer.text)
            assert "root:" not in answer.text
