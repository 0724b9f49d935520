"""A whole little service in the framework: kites. Every rule of the rim is shown by one of its routes."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from typing import Annotated, Any

import msgspec

from kilonova.api.framework import (
    COMPUTE,
    UNSET,
    Intake,
    Maybe,
    Meta,
    Microversions,
    Page,
    Params,
    Policy,
    PolicyRule,
    Query,
    Reply,
    Request,
    Route,
    Service,
    SortedPageQuery,
    Stream,
    View,
    becomes,
    between,
    bind,
    cut,
    gone,
    next_links,
    read_paging,
    required,
    rest,
    since,
    until,
    wire,
)
from kilonova.api.framework.types import Flag, IntLike, Metadata, Name, Uuid
from kilonova.domain.errors import Conflict, Missing, OverQuota, Unavailable


class Tail(Params):
    length: Annotated[int, Meta(ge=1, le=9)]
    colour: Annotated[Maybe[str], since("2.5")] = UNSET


class CreateKite(Params):
    name: Name
    string_m: Annotated[IntLike, wire("OS-KITE:string"), Meta(ge=1, le=500)] = 50
    metadata: Maybe[Metadata] = UNSET
    locked: Annotated[Maybe[Flag], since("2.9")] = UNSET
    tails: Maybe[list[Tail]] = UNSET
    kind: Annotated[Maybe[str], Meta(max_length=3), becomes("2.7", Annotated[str, Meta(max_length=5)])] = UNSET
    owner: Annotated[Maybe[Uuid | None], required(between("2.4", "2.6"))] = UNSET
    old_wind: Annotated[Maybe[int], wire("wind"), until("2.2")] = UNSET
    wind: Annotated[Maybe[str], since("2.8")]


class CutString(Params):
    force: Flag = False


class ListKites(SortedPageQuery, strict=since("2.10")):
    name: Maybe[str] = UNSET
    tag: Maybe[list[str]] = UNSET
    colour: Annotated[Maybe[str], since("2.5")] = UNSET


class OpenQuery(Query):
    limit: Maybe[int] = UNSET
    filters: Annotated[dict[str, Any], rest()] = msgspec.field(default_factory=dict)


class Hook(Params):
    """Only the names it knows are its own; others are data."""

    id: str
    others: Annotated[dict[str, Annotated[str, Meta(max_length=5)]], rest()] = msgspec.field(default_factory=dict)


class StringView(View):
    metres: int
    colour: Annotated[Maybe[str], since("2.6")] = UNSET


class KiteView(View):
    id: str
    name: str
    string_m: Annotated[Maybe[int], wire("string"), until("2.4")] = UNSET
    string: Annotated[Maybe[StringView | None], since("2.5")] = UNSET
    host: Annotated[Maybe[str | None], wire("OS-EXT-SRV-ATTR:host")] = UNSET
    ends: Maybe[dict[str, list[StringView]]] = UNSET


class HookView(View):
    id: str
    string: Maybe[StringView] = UNSET
    others: Annotated[dict[str, str], rest()] = msgspec.field(default_factory=dict)


class Kites:
    """Handlers on a dictionary; `seen` keeps the last request for tests to look at."""

    def __init__(self) -> None:
        self.rows = {f"k{i}": f"kite {i}" for i in range(5)}
        self.seen: Request[Any, Any] | None = None
        self.threads: set[int] = set()
        self.closed, self.broken_off = threading.Event(), threading.Event()
        self.uploaded = 0

    def create(self, req: Request[CreateKite, Query]) -> Reply:
        self.seen = req
        return Reply(self._view(req, "k9", req.params.name), headers={"Location": f"{req.base_url}/kites/k9"})

    def index(self, req: Request[None, ListKites]) -> Page:
        self.seen = req
        page = read_paging(req.query, sortable=("name",))
        after = [(k, v) for k, v in sorted(self.rows.items()) if page.marker is None or k > page.marker]
        rows, more = cut(after[: page.limit + 1], page.limit)
        return Page([self._view(req, *row) for row in rows], links=next_links(req, rows[-1][0] if more else None))

    def show(self, req: Request[None, Query]) -> KiteView:
        self.seen = req
        self.threads.add(threading.get_ident())
        ident = req.path["kite_id"]
        if ident not in self.rows:
            raise Missing("Kite", ident)
        return self._view(req, ident, self.rows[ident])

    def plain(self, req: Request[None, Query]) -> dict[str, Any]:
        return {"hello": req.ctx.project_id}

    def cut_string(self, req: Request[CutString, Query]) -> None:
        self.seen = req

    def land(self, req: Request[CutString | None, Query]) -> None:
        self.seen = req

    def delete(self, req: Request[None, Query]) -> None:
        self.rows.pop(req.path["kite_id"], None)

    def fail(self, req: Request[None, Query]) -> None:
        raise {
            "conflict": Conflict("It flies", next_step="Land it first."),
            "quota": OverQuota("kites", requested=1, used=5, limit=5),
            "later": Unavailable("No wind.", retry_after_s=7),
            "bug": ZeroDivisionError("password=hunter2"),
        }[req.path["how"]]

    def upload(self, req: Request[None, Query]) -> Intake:
        return Intake(self._receive())

    def _receive(self) -> Generator[None, bytes | None, None]:
        size = 0
        try:
            while chunk := (yield):
                if b"\0" in chunk:
                    raise Conflict("There is a zero in it.")
                size += len(chunk)
        except GeneratorExit:
            self.broken_off.set()
            raise
        self.uploaded = size

    def download(self, req: Request[None, Query]) -> Stream:
        def chunks() -> Iterator[bytes]:
            try:
                for _ in range(4):
                    yield b"x" * 1000
            finally:
                self.closed.set()

        return Stream(chunks(), length=4000)

    def hook(self, req: Request[Hook, OpenQuery]) -> HookView:
        self.seen = req
        return HookView(id=req.params.id, string=StringView(metres=1, colour="red"), others=req.params.others)

    def patch(self, req: Request[list[Tail], Query]) -> None:
        self.seen = req

    def discover(self, req: Request[None, Query]) -> dict[str, Any]:
        return {"versions": [req.root_url]}

    def _view(self, req: Request[Any, Any], ident: str, name: str) -> KiteView:
        string = StringView(metres=50, colour="white")
        host = "h1" if req.can("os_compute_api:kites:host") else UNSET
        return KiteView(id=ident, name=name, string_m=50, string=string, host=host, ends={"a": [string]})


P = "os_compute_api:kites:"
POLICIES = (
    PolicyRule(P + "index", "reader"),
    PolicyRule(P + "show", "reader"),
    PolicyRule(P + "create", "member"),
    PolicyRule(P + "cut", "member"),
    PolicyRule(P + "host", "admin"),
)
ONE = {"view": KiteView, "view_key": "kite"}
ROUTES = (
    Route("GET", "/kites", Kites.index, policy=P + "index", query=ListKites, view=KiteView, view_key="kites"),
    Route("POST", "/kites", Kites.create, status=202, policy=P + "create", params=CreateKite, params_key="kite", **ONE),
    Route("GET", "/kites/detail", Kites.plain, policy=P + "index"),
    Route("GET", "/kites/{kite_id}", Kites.show, policy=P + "show", **ONE),
    Route("DELETE", "/kites/{kite_id}", Kites.delete, status=202, versions=until("2.1"), policy=P + "cut"),
    Route("DELETE", "/kites/{kite_id}", Kites.delete, status=204, versions=since("2.2"), policy=P + "cut"),
    Route(
        "POST",
        "/kites/{kite_id}/action",
        Kites.cut_string,
        action="cutString",
        status=202,
        versions=since("2.3"),
        policy=P + "cut",
        params=CutString,
    ),
    Route(
        "POST",
        "/kites/{kite_id}/action",
        Kites.land,
        action="land",
        status=202,
        policy=P + "cut",
        params=CutString | None,
    ),
    Route("GET", "/fail/{how}", Kites.fail),
    Route("PUT", "/kites/{kite_id}/file", Kites.upload, status=204, stream=True, media=("application/octet-stream",)),
    Route("GET", "/kites/{kite_id}/file", Kites.download, stream=True),
    Route("POST", "/hooks", Kites.hook, status=201, params=Hook, query=OpenQuery, view=HookView),
    Route("PATCH", "/hooks", Kites.patch, status=204, params=list[Tail], media=("application/x-patch+json",)),
    *gone("GET /os-balloons", "POST /kites/{kite_id}/action burst"),
)
DISCOVERY = (Route("GET", "/", Kites.discover, auth=False),)


def kite_service(kites: Kites, **changes: Any) -> Service:
    return Service(
        "compute",
        **{
            "mount": "/compute",
            "prefix": "/v2.1",
            "style": COMPUTE,
            "routes": bind(ROUTES, kites),
            "root_routes": bind(DISCOVERY, kites),
            "microversions": Microversions("compute", "2.1", "2.10", "X-OpenStack-Nova-API-Version"),
            "project_in_path": True,
            "tell_methods": False,
        }
        | changes,
    )


def policy() -> Policy:
    return Policy(POLICIES)
