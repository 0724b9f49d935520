"""Routes as data: from these rows come dispatch, policy, decoding, encoding, OpenAPI and `kilonova routes`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NoReturn

import msgspec

from kilonova.api.framework.exchange import Handler, Request
from kilonova.api.framework.schema import Query
from kilonova.api.framework.versions import ALWAYS, Version, VersionRange
from kilonova.domain.errors import Gone, KilonovaError, Rejected

JSON = ("application/json",)


class Route(msgspec.Struct, frozen=True):
    """
    One way in. Several may share method and path if their version ranges (or their action keys) are disjoint.

    `path` is relative to the service's prefix: `/servers/{server_id}`. `handler` is a method of a resource, unbound in a table
    (`bind` gives it its object) or bound already. `action` is the single body key of an action route; its value is `params`.
    `params_key`, `view_key` are the envelopes around `params` and around `view` (or a list of it). `params` may be any type
    expression, e.g. `list[PatchOp]`, or `LockServer | None`; None means that the body is not read. `policy` None asks only
    for a token, `auth=False` not even for that; `late_policy` leaves the check to the handler, where it hangs on the thing found.
    `stream` leaves the body to what the handler returns. `media` are the content types read. `lane` names the threads that it
    is worked on in (`lanes`). `is_absent`: known, not served, and shown nowhere (see `absent`).
    `stream` hands the raw body to the handler. `media` are the content types read. `only_asks` is a POST
    that makes nothing.
    """

    method: str
    path: str
    handler: Handler
    action: str | None = None
    versions: VersionRange = ALWAYS
    status: int = 200
    policy: str | None = None
    late_policy: bool = False
    params: Any = None
    params_key: str | None = None
    query: type[Query] | None = None
    view: Any = None
    view_key: str | None = None
    auth: bool = True
    stream: bool = False
    media: tuple[str, ...] = JSON
    lane: str = "requests"
    name: str = ""
    summary: str = ""
    is_absent: bool = False
    only_asks: bool = False

    @property
    def grows(self) -> bool:
        """Whether it makes more of something: then it is refused while a disk is nearly full. Actions and changes are not."""
        makes = self.method == "POST" and self.action is None and self.auth
        return (makes and not self.only_asks and not self.is_absent) or (self.stream and self.method != "GET")

    @property
    def label(self) -> str:
        """A name without ids, for logs, counters and documents: `POST /servers/{server_id}/action reboot`."""
        return self.name or " ".join(filter(None, (self.method, self.path, self.action)))


class NotHere(KilonovaError):
    """404: a part of the API that this cloud does not have yet; the text says which."""

    status = 404
    code = "not_here"


class RouteRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One row of `kilonova routes --json`."""

    service: str
    method: str
    path: str
    status: int
    action: str | None = None
    min: str | None = None
    max: str | None = None
    policy: str | None = None
    auth: bool = True


def bind(table: Iterable[Route], resource: object) -> list[Route]:
    """The table with each method replaced by that of `resource`; a plain function stays what it is."""
    return [
        msgspec.structs.replace(route, handler=getattr(resource, route.handler.__name__, route.handler))
        for route in table
    ]


def _gone(_: Request[None, None]) -> NoReturn:
    raise Gone("This resource was removed from the API; it is gone for good.")


def gone(*ways: str, versions: VersionRange = ALWAYS) -> list[Route]:
    """Routes that answer 410: `gone("GET /os-cloudpipe", "POST /servers/{id}/action addFixedIp")`."""
    parts = [way.split(" ", 2) for way in ways]
    return [
        Route(method, path, _gone, action=action[0] if action else None, versions=versions, status=410)
        for method, path, *action in parts
    ]


def absent(why: str, *ways: str) -> list[Route]:
    """
    Routes that a documented API has and we do not: they answer `why`, paths with 404 and actions with 400, and are shown nowhere.

    A way may end in the versions that it is in: `"GET /images <=2.35"`, `"GET /servers/{server_id}/topology >=2.78"`.
    """
    return [_absent(why, *way.split()) for way in ways]


def _absent(why: str, method: str, path: str, *more: str) -> Route:
    first, last = (next((Version.parse(one[2:]) for one in more if one[:2] == mark), None) for mark in (">=", "<="))
    action = next((one for one in more if one[:2] not in {">=", "<="}), None)

    def refuse(_: Request[None, None]) -> NoReturn:
        raise NotHere(why) if action is None else Rejected(why)

    status = NotHere.status if action is None else Rejected.status
    return Route(method, path, refuse, action=action, versions=VersionRange(first, last), status=status, is_absent=True)


def param_names(path: str) -> list[str]:
    """The names in braces."""
    return re.findall(r"{(\w+)}", path)
