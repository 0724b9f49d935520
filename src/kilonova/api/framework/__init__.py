"""
The machinery of the HTTP rim: every service's resources are written in it, and it knows none of them.

A resource is one file with four parts, in this order: its **params** and **queries** (what clients send), its **views**
(what they get), a class whose methods are the handlers, and a **route table**. Microversions appear in two places only: as
marks on fields, and as the `versions` of a route. A handler never compares versions; where *behaviour* changed between two, the
table has two rows for two methods, or the field that carries the choice has another type (`becomes`) in each.

    from __future__ import annotations
    from typing import Annotated
    from kilonova.api.framework import (
        UNSET, Maybe, Meta, Page, PageQuery, Params, PolicyRule, Query, Reply, Request, Route, View,
        cut, gone, next_links, read_paging, since, until, wire,
    )
    from kilonova.api.framework.types import Flag, Metadata, Name

    class CreateKite(Params):                                   # unknown keys are refused: 400
        name: Name
        string_m: Annotated[int, wire("OS-KITE:string"), Meta(ge=1, le=500)] = 50
        metadata: Maybe[Metadata] = UNSET                       # absent is UNSET, null is None (not allowed here)
        locked: Annotated[Maybe[Flag], since("2.9")] = UNSET    # before 2.9 sending it is an unknown key

    class CutString(Params):
        force: Flag = False

    class ListKites(PageQuery, strict=since("2.10")):           # before 2.10 unknown query keys are ignored
        name: Maybe[str] = UNSET

    class KiteView(View):
        id: str
        name: str
        string_m: Annotated[Maybe[int], wire("string"), until("2.4")] = UNSET
        string: Annotated[Maybe[StringView], since("2.5")] = UNSET    # one wire name, disjoint ranges
        host: Annotated[Maybe[str | None], wire("OS-EXT-SRV-ATTR:host")] = UNSET

    class Kites:
        def __init__(self, fly: FlyKite, queries: KiteQueries) -> None: ...

        def create(self, req: Request[CreateKite, Query]) -> Reply:
            kite = self._fly(req.ctx, name=req.params.name, string_m=req.params.string_m)
            return Reply(self._view(req, kite), headers={"Location": f"{req.base_url}/kites/{kite.id}"})

        def index(self, req: Request[None, ListKites]) -> Page:
            page = read_paging(req.query, sortable=("name",))
            rows, more = cut(self._queries.list(req.ctx, page, limit=page.limit + 1), page.limit)
            return Page([self._view(req, row) for row in rows], links=next_links(req, rows[-1].id if more else None))

        def show(self, req: Request[None, Query]) -> KiteView:
            return self._view(req, self._queries.get(req.ctx, req.path["kite_id"]))     # raises Missing: 404

        def cut_string(self, req: Request[CutString, Query]) -> None: ...

        def _view(self, req, kite) -> KiteView:     # ALL versions' fields are filled; what is off the wire is left out for you
            see_host = req.can("os_compute_api:kites:host", {"project_id": kite.project_id})
            return KiteView(id=kite.id, ..., host=kite.host if see_host else UNSET)

    ROUTES = (
        Route("GET", "/kites", Kites.index, policy="os_compute_api:kites:index", query=ListKites,
              view=KiteView, view_key="kites"),
        Route("POST", "/kites", Kites.create, status=202, policy="os_compute_api:kites:create",
              params=CreateKite, params_key="kite", view=KiteView, view_key="kite"),
        Route("GET", "/kites/{kite_id}", Kites.show, policy="os_compute_api:kites:show", view=KiteView, view_key="kite"),
        Route("POST", "/kites/{kite_id}/action", Kites.cut_string, action="cutString", status=202,
              versions=since("2.3"), policy="os_compute_api:kites:cut", params=CutString),
        *gone("GET /os-balloons"),
    )
    POLICIES = (PolicyRule("os_compute_api:kites:index", "reader"), PolicyRule("os_compute_api:kites:create", "member"), ...)

The table is plain data on unbound methods, so it can be printed without a cloud; `bind(ROUTES, Kites(...))` gives it its object:

    compute = Service("compute", mount="/compute", prefix="/v2.1", style=COMPUTE, routes=bind(ROUTES, kites),
                      root_routes=bind(DISCOVERY, versions), project_in_path=True, tell_methods=False,
                      microversions=Microversions("compute", "2.1", "2.104", "X-OpenStack-Nova-API-Version"))
    app = Rim([compute, ...], authenticator=..., policy=Policy(POLICIES, overrides=path_or_none))

What a handler may rely on: the caller is authenticated and the route's policy has passed (against a thing of the caller's own;
set `late_policy=True` and call `req.authorize(rule, target)` where it hangs on the thing found), the path's project is the
token's, params and query are valid for the version. It runs in a worker thread and may block. It raises the errors of
`kilonova.domain.errors` and nothing else; anything else is a bug, logged under the request id.

What it may return: a view, a list of views, a `Page`, a `Stream`, an `Intake`, a `Reply` around any of these, or None for an
empty body.

Rules worth knowing
- In a field's default UNSET means absent; a plain default (`= 50`) stands in for what was not sent. A `Maybe[...]` field
  *without* default is required where it exists and UNSET elsewhere. `required(since("2.37"))` makes an optional one required.
- `params` may be any type: `list[PatchOp]`, `LockServer | None` for an action that takes null. Without it no body is read.
- Nothing a client sends is without a bound (`bounds`): a `str` has 255 characters, a list or object 1024 items, free JSON 16 KiB,
  unless its field says another (`Meta(max_length=...)`, `size(4096)`).
- Untagged unions of two shapes do not decode; use one shape with optional fields, or `reads(fn, wire_type)`.
- Unknown keys wanted as data: one field `properties: Annotated[dict[str, Any], rest()]`, in params, queries and views.
- `stream=True`: return an `Intake` that takes the upload chunk by chunk, or a `Stream(chunks, length)` to send; neither is whole
  in memory.
- Shapes and their annotations must be at module level, as types are resolved by name.

`tests.apiclient.client(app, token, version)` drives an app in process; `compile_all(service)` is the one line of test that every
service wants. The modules: `versions`, `schema` (marks), `bounds`, `compile_in` and `compile_out` (codecs), `complaints` (their
errors in words), `types` (wire types), `exchange` (Request, Reply), `routes`, `router`, `service`, `serve`, `pipeline` and
`bodies` (a request's way), `lanes` and `transfers` (how much at once), `connection`, `connections` and `transport` (sockets),
`errors` (envelopes), `policy`, `paging`, `openapi`, `metrics`. Beside the rim: `door` and `mounts` (websockets, event streams,
pages, services that do not speak JSON), `events` (server-sent events
and the port of their source), `upgrade` (websockets on a socket).
"""

from msgspec import UNSET, Meta, UnsetType

from kilonova.api.framework.errors import (
    COMPUTE,
    IDENTITY,
    IMAGE,
    NETWORK,
    PLACEMENT,
    VOLUME,
    BadMethod,
    NoRoute,
    Style,
)
from kilonova.api.framework.exchange import Intake, Page, Reply, Request, Stream
from kilonova.api.framework.lanes import Limits
from kilonova.api.framework.metrics import RimMetrics
from kilonova.api.framework.openapi import openapi_document
from kilonova.api.framework.paging import PageQuery, Paging, SortedPageQuery, cut, next_links, next_url, read_paging
from kilonova.api.framework.pipeline import Rim
from kilonova.api.framework.policy import Policy, PolicyRule
from kilonova.api.framework.routes import Route, RouteRow, absent, bind, gone
from kilonova.api.framework.schema import Maybe, Params, Query, Shape, View, becomes, reads, required, rest, size, wire
from kilonova.api.framework.serve import Authenticator
from kilonova.api.framework.service import Microversions, Service, describe_routes
from kilonova.api.framework.versions import Version, VersionRange, between, since, until

__all__ = [
    "COMPUTE",
    "IDENTITY",
    "IMAGE",
    "NETWORK",
    "PLACEMENT",
    "UNSET",
    "VOLUME",
    "Authenticator",
    "BadMethod",
    "Intake",
    "Limits",
    "Maybe",
    "Meta",
    "Microversions",
    "NoRoute",
    "Page",
    "PageQuery",
    "Paging",
    "Params",
    "Policy",
    "PolicyRule",
    "Query",
    "Reply",
    "Request",
    "Rim",
    "RimMetrics",
    "Route",
    "RouteRow",
    "Service",
    "Shape",
    "SortedPageQuery",
    "Stream",
    "Style",
    "UnsetType",
    "Version",
    "VersionRange",
    "View",
    "absent",
    "becomes",
    "between",
    "bind",
    "cut",
    "describe_routes",
    "gone",
    "next_links",
    "next_url",
    "openapi_document",
    "read_paging",
    "reads",
    "required",
    "rest",
    "since",
    "size",
    "until",
    "wire",
]
