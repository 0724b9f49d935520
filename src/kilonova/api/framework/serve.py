"""
The synchronous half of the pipeline: token → version → route → policy → decode → handler → encode, in one worker thread.

The order is the contract: who has no token learns nothing else, a wrong version is told before a wrong path, and a body is
only looked at when policy has let the caller through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qsl, quote

import msgspec

from kilonova.api.framework.complaints import malformed
from kilonova.api.framework.exchange import Authoriser, Intake, Page, Reply, Request, Stream
from kilonova.api.framework.router import Match
from kilonova.api.framework.routes import Route
from kilonova.api.framework.schema import Query
from kilonova.api.framework.service import Plan, Service
from kilonova.api.framework.versions import UNVERSIONED, Version
from kilonova.domain.context import RequestContext
from kilonova.domain.errors import KilonovaError, Postponed, Rejected, Unauthenticated, UnsupportedMedia
from kilonova.store.again import until_done

_LONGEST_NAME = 255  # of what a URL names: what a PUT makes there is kept under it
_MOST_KEYS = 1000
_NULL = b"\\u0000"
_NULL_REFUSED = "it contains a NUL character, which no field may hold"


class Authenticator(Protocol):
    """Who a token speaks for."""

    def authenticate(self, token: str) -> RequestContext:
        """The scope of a token; its request id is replaced by the rim's. Raises Unauthenticated, or Unavailable."""


@dataclass(slots=True)
class Call:
    """One request under way; the rim fills it stage by stage, and logs what it has in the end."""

    service: Service
    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    origin: str
    request_id: str
    client: str = ""
    body: bytes = b""
    content: bytes | msgspec.Raw = b""
    length: int | None = None
    ticket: object = None
    version: Version = UNVERSIONED
    match: Match | KilonovaError | None = None
    problem: KilonovaError | None = None
    route: Route | None = None
    ctx: RequestContext | None = None


@dataclass(slots=True)
class Response:
    """What goes out: whole bytes, or a stream, or nothing once an upload has been taken."""

    status: int
    headers: dict[str, str]
    body: bytes | Stream | Intake = b""


def find(call: Call) -> None:
    """Fill version and match from the head of the request. Problems are kept for after the token's check."""
    service = call.service
    inside = call.path[len(service.mount) :]
    below = inside[len(service.prefix) :]
    in_api = inside.startswith(service.prefix) and (not below or below.startswith("/"))
    root = service.root_router.match(call.method, inside, UNVERSIONED)
    if not in_api or (not service.prefix and isinstance(root, Match)):
        call.match = root
        return
    try:
        call.version = service.negotiate(call.headers)
    except KilonovaError as problem:
        call.problem, call.version = problem, service.spoken.first or UNVERSIONED
    call.match = service.router.match(call.method, below, call.version)
    if isinstance(call.match, Match):
        call.route = call.match.route


def answer(call: Call, authenticator: Authenticator, policy: Authoriser) -> Response:
    """Everything from the token to the encoded reply. Raises the errors of the domain; others are bugs."""
    match = call.match
    if not (isinstance(match, Match) and match.routes[0].auth is False):
        call.ctx = authenticated(call.headers.get("x-auth-token", ""), authenticator, call.request_id)
    if call.problem is not None:
        raise call.problem
    if not isinstance(match, Match):
        raise match or Rejected("This request leads nowhere.")
    ctx = call.ctx or RequestContext(request_id=call.request_id)
    _check_project(match, ctx)
    if any("\0" in value for value in match.params.values()):
        raise Rejected(f"The URL is malformed: {_NULL_REFUSED}.")
    if any(len(value) > _LONGEST_NAME for value in match.params.values()):
        raise Rejected(f"The URL is refused: it names something by more than {_LONGEST_NAME} characters.")
    route = call.route = _route(call, match)
    if route.policy is not None and not route.late_policy:
        policy.authorize(ctx, route.policy)
    if route.grows:
        call.service.check_room()
    if route.lane == "hashing" and call.ticket is None:
        raise Postponed(0.0, "hashing", "let through")
    plan = call.service.plan(route)
    request = _request(call, match, plan, policy)
    result = until_done(lambda: route.handler(request))
    return _encode(plan, result, call.version)


def authenticated(token: str, authenticator: Authenticator, request_id: str) -> RequestContext:
    """Who a token speaks for, in this request. Raises Unauthenticated, Unavailable."""
    if not token:
        raise Unauthenticated("The request you have made requires authentication.")
    return msgspec.structs.replace(authenticator.authenticate(token), request_id=request_id)


def _check_project(match: Match, ctx: RequestContext) -> None:
    if match.project_id is not None and match.project_id != ctx.project_id:
        raise Rejected(
            f"Malformed request URL: URL's project_id '{match.project_id}' doesn't match "
            f"Context's project_id '{ctx.project_id}'"
        )


def _route(call: Call, match: Match) -> Route:
    """The route; of the body, an action's own part is the value under its key."""
    if match.route is not None:
        call.content = call.body
        return match.route
    _check_media(call, match.routes[0])
    try:
        actions = msgspec.json.decode(call.body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError as problem:
        raise Rejected("The request body must be a JSON object with one action.") from problem
    except (msgspec.DecodeError, ValueError, RecursionError) as problem:
        raise Rejected(f"Malformed request body: {malformed(problem)}") from problem
    if len(actions) != 1:
        raise Rejected("The request body must name exactly one action.")
    ((key, call.content),) = actions.items()
    return match.pick(key, call.version)


def _check_media(call: Call, route: Route) -> None:
    given = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given and given not in route.media:
        raise UnsupportedMedia(f"Unsupported Content-Type {given[:64]!r}.", next_step=f"Send {', '.join(route.media)}.")


def _request(call: Call, match: Match, plan: Plan, policy: Authoriser) -> Request[Any, Any]:
    root = call.origin + call.service.mount
    project = "" if match.project_id is None else f"/{match.project_id}"
    return Request(
        ctx=call.ctx or RequestContext(request_id=call.request_id),
        version=call.version,
        path=match.params,
        params=_params(call, plan),
        query=_query(call, plan),
        headers=call.headers,
        base_url=f"{root}{call.service.prefix}{project}",
        root_url=root + project,
        url=call.origin + call.path,
        query_string=call.query_string,
        policy=policy,
        client=call.client,
        length=call.length,
        ticket=call.ticket,
    )


def _params(call: Call, plan: Plan) -> Any:
    route, decoder = plan.route, plan.decoder
    if decoder is None or route.stream:
        return None
    _check_media(call, route)
    if not call.body:
        raise Rejected("The request needs a JSON body, and has none.")
    if _NULL in call.body and _holds_null(call.body):
        raise Rejected(f"The request body is refused: {_NULL_REFUSED}.")
    return decoder.from_json(call.content, call.version, f".{route.action}" if route.action else "")


def _holds_null(body: bytes) -> bool:
    """Whether an escaped NUL is really one, and not the six letters after an escaped backslash."""
    return re.search(rb"(?<!\\)(?:\\\\)*\\u0000", body) is not None


def _query(call: Call, plan: Plan) -> Any:
    if plan.query is None:
        return Query()
    pairs: dict[str, list[str]] = {}
    try:
        given = parse_qsl(call.query_string, keep_blank_values=True, max_num_fields=_MOST_KEYS)
    except ValueError as problem:
        raise Rejected(f"The query has more than {_MOST_KEYS} parts.") from problem
    for key, value in given:
        if "\0" in value or "\0" in key:
            raise Rejected(f"The query is malformed: {_NULL_REFUSED}.")
        pairs.setdefault(key, []).append(value)
    return plan.query.from_query(pairs, call.version)


def _encode(plan: Plan, result: Any, version: Version) -> Response:
    status, headers = plan.route.status, {}
    if isinstance(result, Reply):
        status, headers, result = result.status or status, dict(result.headers), result.body
    if isinstance(result, Stream):
        headers.setdefault("Content-Type", result.content_type)
        if result.length is not None:
            headers["Content-Length"] = str(result.length)
        return Response(status, headers, result)
    if result is None or isinstance(result, Intake):
        return Response(status, headers | {"Content-Length": "0"}, result or b"")
    headers.setdefault("Content-Type", "application/json")
    body = msgspec.json.encode(_document(plan, result, version))
    return Response(status, headers | {"Content-Length": str(len(body))}, body)


def _document(plan: Plan, result: Any, version: Version) -> Any:
    key, encoder = plan.route.view_key, plan.encoder
    if isinstance(result, Page):
        items = list(result.items) if encoder is None else encoder.many(result.items, version)
        links = {f"{key}_links": list(result.links)} if result.links else {}
        return {key: items, **links, **result.extra}
    if encoder is not None:
        result = encoder.many(result, version) if _is_many(plan.route, result) else encoder.one(result, version)
    return result if key is None else {key: result}


def _is_many(route: Route, result: Any) -> bool:
    """Whether a list of views is given, where the view type itself is a single one."""
    return isinstance(result, Sequence) and not isinstance(result, str | bytes) and isinstance(route.view, type)


def quoted(path: str) -> str:
    """A decoded path as it may stand in a URL."""
    return quote(path, safe="/:@!$&'()*+,;=-._~%")
