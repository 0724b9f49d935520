"""
A stranger's real id, wherever a client may write one: the answer is that for an id of nothing, word for word.

Every place for text in every route (`spots`) is filled with a stranger's thing of the kind that it names (`naming`), and with the
name of nothing. Told apart they must not be: not by status, wording or headers, nor by how many statements the answer took, by
which time would tell; and of what is refused nothing is written. A place that is new, and looks as if it named things, fails
until somebody has said what it names.

So that none of this passes for want of getting anywhere, one's own thing must be told from nothing in each of these places,
unless it is said here why it is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests import facts
from tests.story.generic.judge import judge
from tests.story.generic.naming import OPERATORS, WHY, Names, is_unknown, kind_of, looks_like_a_name, names_of, things
from tests.story.generic.records import naming, put_back, rows_of
from tests.story.generic.spots import KEY, Examples, Spot, spots_of
from tests.story.generic.tables import DOORS, PLAUSIBLE, Door, each
from tests.story.generic.watching import Done, Watch
from tests.story.hostile.things import KEY as PUBLIC_KEY
from tests.story.hostile.things import WORD, Things
from tests.story.hostile.world import Person, World

LOGIN = "identity POST /auth/tokens"
TRIED = [
    door for door in DOORS if (door.route.auth or door.label == LOGIN) and door.service != "metrics" and spots_of(door)
]
FIXED: dict[str, Any] = {
    "body:server.networks": [{"uuid": "<network>"}], "body:server.networks[].uuid": "<network>",
    "body:server.imageRef": "<image>", "body:placement.imageRef": "<image>",
    "body:server.block_device_mapping_v2[].source_type": "image", "body:server.block_device_mapping_v2[].boot_index": 0,
    "body:server.block_device_mapping_v2[].destination_type": "local", "body:meta": {"<word>": "x"},
    "body:subnet.cidr": "10.61.0.0/24", "body:subnets[].cidr": "10.61.0.0/24", "body:keypair.public_key": PUBLIC_KEY,
    "body:[]": {"op": "add", "path": "/x", "value": "y"}, "body:status": "accepted",
    "body:auth.identity": {"methods": ["token"], "token": {"id": "<token>"}},
    "body:auth.scope.project.domain": {"id": "default"}, "body:auth.scope.project.name": "<project_name>",
}  # fmt: skip
"""What a body needs beside what its types say, to get as far as the place that is tried; `<kind>` is one of the caller's own."""
FORMS = {"query:fixed_ips": "ip_address={}"}
"""How a name is written where it does not stand alone."""
WITH = {r"/usages query:user_id$": "project_id=<project>"}
"""What a query needs beside the place that is tried."""
TOLD_APART = {
    r"image POST /images body:id$": "an id is given once for ever: whoever guesses all of one learns that it was given",
    r"/auth/tokens body:auth.identity.token.id$": "whoever has a token is taken for whom it was given to",
    r"/auth/tokens body:auth.identity.(password|application_credential)": "a wrong secret is counted: tried below, each once",
}
ALIKE = {
    r"/servers(/detail)? query:(access_ip_v4|image_ref|kernel_id|ramdisk_id|locked_by|security_groups)$": "passed over",
    r"/servers(/detail)? query:(project_id|tenant_id|user_id)$": "filters for administrators: passed over",
    r"/os-quota-sets/{project_id} query:user_id$": "a user without limits of his own has the project's",
    r"/os-quota-sets/{project_id}/defaults path": "the defaults are the same for all",
    r"/(auth/domains query:marker|roles query:domain_id|users/{user_id}/groups query:domain_id)$": "members have none",
    r"/auth/tokens body:auth.scope.domain": "members have no role on a domain",
    r"network (POST|PUT) /ports\S* body:.*device_id$": "any text: what a server has, the server's own column says",
}
"""Places in which one's own thing is as good as nothing, too: by `SERVICE METHOD /path PART:place`, with the reason."""
_MADE = "adminPass|reservation_id|mac_address|fingerprint|secret|public_key|private_key"
_UNLIKE = {"x-openstack-request-id", "x-compute-request-id", "content-length", "date", "location", "x-subject-token"}


@pytest.fixture(scope="module")
def owners(cloud: World) -> tuple[Things, Things]:
    """Somebody's things, and the caller's. Nothing moves while the doors are tried: no conductor, no hosts."""
    made = things(cloud)
    counted = ("instances", "cores", "ram", "key_pairs", "server_groups", "server_group_members")
    cloud.admin.ok("PUT", f"compute /os-quota-sets/{cloud.b.project_id}", {"quota_set": dict.fromkeys(counted, -1)})
    counted = ("network", "subnet", "port", "security_group", "security_group_rule")
    cloud.admin.ok("PUT", f"network /quotas/{cloud.b.project_id}", {"quota": dict.fromkeys(counted, -1)})
    cloud.cloud.conductor.stop()
    cloud.cloud.hosts.stop()
    return made


@pytest.fixture(scope="module")
def names(cloud: World, owners: tuple[Things, Things]) -> Names:
    return names_of(cloud, *owners)


@pytest.fixture(scope="module")
def watch(cloud: World) -> Watch:
    return Watch(cloud.cloud.runtime.db.engine)


class Asker:
    """Fills one place of a door's requests, and all others as well as can be."""

    def __init__(self, person: Person, door: Door, names: Names, watch: Watch) -> None:
        self._person, self.door, self._names, self._watch = person, door, names, watch
        self._fixed = json.loads(self._said(json.dumps(FIXED)))

    def ask(self, spot: Spot, value: str) -> tuple[Any, Done]:
        """The answer, and what it did."""
        path, query = self._way(spot, value)
        examples = Examples(self.door, spot.version, self._right, self._fixed)
        body = examples.body(spot.place if spot.part == "body" else None, value)
        headers = {"X-Auth-Token": self._person.token, "Content-Type": self.door.route.media[0]}
        if spot.version:
            headers["OpenStack-API-Version"] = f"{self.door.service} {spot.version}"
        if spot.part == "header":
            headers[str(spot.place[0])] = value
        content = b"" if body is None else json.dumps(body).encode()
        with self._watch.one() as done:
            answer = self._person.http.request(self.door.route.method, path + query, headers=headers, content=content)
        return answer, done

    def _way(self, spot: Spot, value: str) -> tuple[str, str]:
        own = {
            name: quote(self._right(Spot("path", (name,), "")), safe="")
            for name in re.findall(r"{(\w+)}", self.door.route.path)
        }
        if spot.part == "path":
            own[str(spot.place[0])] = quote(value, safe="")
        if spot.part != "query":
            return self.door.path(own), ""
        name, text = (
            (value, "x") if spot.place[-1] == KEY else (str(spot.place[0]), FORMS.get(spot.name, "{}").format(value))
        )
        more = [self._said(add) for pattern, add in WITH.items() if re.search(pattern, self.where(spot))]
        return self.door.path(own), "?" + "&".join([f"{quote(name)}={quote(text)}", *more])

    def where(self, spot: Spot) -> str:
        """`SERVICE METHOD /path PART:place`."""
        return f"{self.door.service} {self.door.route.method} {self.door.route.path} {spot.name}"

    def _said(self, text: str) -> str:
        return re.sub("<([a-z_]+)>", lambda kind: self._names.own[kind[1]], text)

    def _right(self, spot: Spot) -> str:
        kind = kind_of(self.door, spot)
        own = self._names.own.get(kind, "1")
        last = next((one for one in reversed(spot.place) if isinstance(one, str)), "")
        return str(PLAUSIBLE.get(last, own)) if kind == "word" else own


def told(answer: Any, value: str) -> tuple[Any, ...]:
    """An answer without the name that was asked for, and without what no two answers share."""
    text = answer.text
    for form in sorted({value, quote(value, safe=""), quote(value), value[:64]}, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(form)}(?![\w-])", "NAME", text)
    text = re.sub(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", "ID", text)
    if answer.status_code < 400:
        text = re.sub(r"20\d\d-\d\d-\d\dT[0-9:.]+", "TIME", text)
        text = _in_order(re.sub(rf'"({_MADE})": ?"[^"]*"', r'"\1":"MADE"', text))
    return answer.status_code, text, sorted((k, v) for k, v in answer.headers.items() if k not in _UNLIKE)


def _in_order(text: str) -> str:
    """What is listed in no order in one."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: ordered(part) for name, part in value.items()}
        return sorted(map(ordered, value), key=repr) if isinstance(value, list) else value

    try:
        return repr(ordered(json.loads(text)))
    except ValueError:
        return text


@each(TRIED)
def test_a_strangers_name_is_as_good_as_nobodys(
    cloud: World, owners: tuple[Things, Things], names: Names, watch: Watch, door: Door
) -> None:
    trial = Trial(cloud, owners, names, Asker(cloud.b, door, names, watch))
    for spot in spots_of(door):
        trial.compare(spot, kind_of(door, spot))
    if trial.untold:
        pytest.fail("\n".join(trial.untold))


class Trial:
    """One door's. `untold`: places in which one's own thing was as good as nothing, and nobody said that it would be."""

    def __init__(self, cloud: World, owners: tuple[Things, Things], names: Names, asker: Asker) -> None:
        self._db, self._names, self._asker = cloud.cloud.runtime.db, names, asker
        self._theirs = {*owners[0].ids.values(), cloud.a.project_id, cloud.a.user_id} - {WORD}
        self._mine = {*owners[1].ids.values(), cloud.b.project_id, cloud.b.user_id}
        self._before = rows_of(self._db)
        self.untold: list[str] = []

    def compare(self, spot: Spot, kind: str) -> None:
        """Ask for a stranger's and for nothing; then for one's own, which must be another matter."""
        where = self._asker.where(spot)
        if kind in WHY or any(re.search(one, where) for one in TOLD_APART):
            return
        counts = []
        for _ in range(3):  # what is looked up now and then, whoever asks, is counted for one of the two now and then
            nobodys, strangers = self._names.nobodys(kind), self._names.strangers[kind]
            (nothing, for_nothing), (theirs, for_theirs) = self._ask(spot, nobodys), self._ask(spot, strangers)
            assert told(theirs, strangers) == told(nothing, nobodys), (spot, theirs.request.url, theirs.request.content)
            self._learns_nothing(theirs, strangers)
            assert for_theirs.written == for_nothing.written
            counts.append((len(for_theirs.statements), len(for_nothing.statements)))
            if len(for_theirs.statements) == len(for_nothing.statements):
                self._tell_own(spot, kind, told(nothing, nobodys))
                return
        more = [one for one in for_theirs.statements if one not in for_nothing.statements]
        pytest.fail(f"{spot}: an answer took {counts} statements, with\n{more}")

    def _ask(self, spot: Spot, value: str) -> tuple[Any, Done]:
        answer, done = self._asker.ask(spot, value)
        if answer.status_code != 503:  # what is one's own may be on a host, and none answers
            judge(answer, spot)
        if done.written:
            now = rows_of(self._db)
            put_back(self._db, self._before)
            assert answer.status_code < 400, (spot, done.written)
            assert naming(now, self._theirs, but=self._mine) == naming(self._before, self._theirs, but=self._mine), spot
        return answer, done

    def _learns_nothing(self, answer: Any, asked: str) -> None:
        text = answer.text.replace(asked, "")
        assert not [name for name in (WORD, *self._theirs) if name != asked and name in text], answer.text

    def _tell_own(self, spot: Spot, kind: str, nothing: tuple[Any, ...]) -> None:
        where, route = self._asker.where(spot), self._asker.door.route
        if kind in ("word", *OPERATORS) or any(re.search(one, where) for one in ALIKE):
            return
        if route.is_absent or nothing[0] in (403, 410):
            return
        own = self._names.own[kind]
        answer, _ = self._ask(spot, own)
        if told(answer, own) == nothing:
            self.untold.append(f"{where} is {kind}: {nothing[:2]}")


def test_every_name_is_known_for_one() -> None:
    """One that is new says what it names in `naming.RULES`; or, in NO_NAMES, why it is none though it looks like one."""
    unknown = {spot.name: door.label for door in DOORS for spot in spots_of(door) if is_unknown(door, spot)}
    assert unknown == {}


def test_every_documented_name_is_a_place_here() -> None:
    """What OpenStack documents of a route that is served, and looks as if it named something, is tried, or said why not."""
    not_here = {
        "PUT /os-services/{id} body:host": "of the routes that were there before 2.53, which are apart here",
        "POST /os-server-groups body:server_group.policy": "one of a few words",
    }
    served = {
        (door.route.method, re.sub(r"{\w+}", "{}", door.route.path), door.route.action): door
        for door in DOORS
        if door.service == "compute" and not door.route.is_absent
    }
    found = []
    for fact in facts.fields():
        door = served.get((fact["method"], re.sub(r"{\w+}", "{}", fact["path"]), fact["action"]))
        if door is not None:
            places = {spot.name for spot in spots_of(door)}
            found += [
                f"{fact['method']} {fact['path']} {name}" for name in _documented(fact) if not _is_there(name, places)
            ]
    assert {one for one in found if one not in not_here} == set()


def _documented(fact: facts.Fact) -> Iterator[str]:
    for part, fields in (("body", fact.get("request_body")), ("query", fact.get("query"))):
        for field in fields or ():
            if looks_like_a_name(field["name"]):
                yield f"{part}:{field['name'].replace('.*', '.x')}"


def _is_there(name: str, places: set[str]) -> bool:
    return any(one == name or one.startswith((f"{name}.", f"{name}[]")) for one in places)


def test_no_login_tells_who_there_is(cloud: World, watch: Watch) -> None:
    """With a wrong secret, by id and by name: as many statements for who is there as for who is not."""
    here = {"id": "default"}
    for theirs, nobodys in (
        ({"id": cloud.a.user_id}, {"id": "0" * 32}),
        ({"name": "user-a", "domain": here}, {"name": "user-x", "domain": here}),
        ({"name": "user-a", "domain": here}, {"name": "user-a", "domain": {"id": "0" * 32}}),
    ):
        counts = []
        for user in (theirs, nobodys):
            ways = [
                {"methods": ["password"], "password": {"user": {**user, "password": "wrong"}}},
                {"methods": ["application_credential"],
                 "application_credential": {"name": WORD, "user": user, "secret": "wrong"}},
            ]  # fmt: skip
            for identity in ways:
                with watch.one() as done:
                    answer = cloud.http.post("/identity/v3/auth/tokens", json={"auth": {"identity": identity}})
                assert answer.status_code == 401, answer.text
                counts.append((told(answer, ""), len(done.statements), len(done.written)))
        assert counts[:2] == counts[2:], (theirs, nobodys)
