"""
One translator from typed errors to each service's own error document.

Every service says the same three things (status, a message, and a word for its kind) in its own frame. A `Style` is that
frame and the few statuses in which a service differs. Image errors were HTML once; clients (openstacksdk, glanceclient) look for
a `message` one level down in JSON, which Keystone's frame gives them, so that frame serves both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from kilonova.api.framework.versions import VersionOutOfRange
from kilonova.domain.errors import (
    Denied,
    DiskFull,
    KilonovaError,
    Missing,
    OverQuota,
    Unauthenticated,
    Unavailable,
)
from kilonova.store.away import DatabaseAway, DatabaseFull

_COMPUTE_KEYS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
    507: "insufficientStorage",
}
_TOLD = (503, 507)
"""Of what is no fault of the request, what is said: trying again, or room, helps."""
_NETWORK_TYPES = {
    400: "BadRequest",
    401: "HTTPUnauthorized",
    404: "HTTPNotFound",
    405: "HTTPMethodNotAllowed",
    409: "Conflict",
    413: "HTTPRequestEntityTooLarge",
    415: "HTTPUnsupportedMediaType",
    503: "ServiceUnavailable",
    507: "InsufficientStorage",
}
_LONGEST = 1000  # characters of a message, without its next step


class BadMethod(KilonovaError):
    """405: the path is known, but not with this method. `allowed` are those it knows."""

    status = 405
    code = "bad_method"

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"The method {method} is not allowed for this resource.")
        self.allowed = allowed


class NoRoute(KilonovaError):
    """404: no such path, or not in this version."""

    status = 404
    code = "no_route"

    def __init__(self, message: str = "The resource could not be found.") -> None:
        super().__init__(message)


class PathTooLong(KilonovaError):
    """414: nothing here has a name that long."""

    status = 414
    code = "path_too_long"

    def __init__(self) -> None:
        super().__init__("The path of the request is longer than any that leads somewhere here.")


class UpgradeRequired(KilonovaError):
    """426: only a websocket is to be had at this path."""

    status = 426
    code = "upgrade_required"

    def __init__(self) -> None:
        super().__init__("This path is for websockets.", next_step="Open it with a websocket client.")


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An error on its way out; `error` is None when it was none of ours."""

    status: int
    message: str
    request_id: str
    error: KilonovaError | None = None

    @property
    def title(self) -> str:
        """The status in words."""
        return HTTPStatus(self.status).phrase


def _compute(failure: Failure) -> dict[str, Any]:
    body: dict[str, Any] = {"code": failure.status, "message": failure.message}
    if isinstance(failure.error, Unavailable) and failure.status in (413, 429):
        body["retryAfter"] = str(failure.error.retry_after_s)
    return {_COMPUTE_KEYS.get(failure.status, "computeFault"): body}


def _identity(failure: Failure) -> dict[str, Any]:
    return {"error": {"code": failure.status, "message": failure.message, "title": failure.title}}


def _network(failure: Failure) -> dict[str, Any]:
    return {"NeutronError": {"type": _network_type(failure), "message": failure.message, "detail": ""}}


def _network_type(failure: Failure) -> str:
    """Neutron's clients tell errors apart by exception name; an error class of the network room lends its own."""
    error = failure.error
    if isinstance(error, Missing):
        words = error.kind.replace("_", " ").split()
        return "".join(word[0].upper() + word[1:] for word in words) + "NotFound"
    if isinstance(error, OverQuota):
        return "OverQuota"
    if type(error) is Denied:
        return "PolicyNotAuthorized"
    if error is not None and type(error).__module__.startswith("kilonova.network"):
        return type(error).__name__
    return _NETWORK_TYPES.get(failure.status, "HTTPInternalServerError")


def _placement(failure: Failure) -> dict[str, Any]:
    error = failure.error
    entry: dict[str, Any] = {
        "status": failure.status,
        "title": failure.title,
        "detail": failure.message,
        "request_id": failure.request_id,
    }
    entry["code"] = getattr(error, "placement_code", "placement.undefined_code")
    if isinstance(error, VersionOutOfRange):
        entry |= {"min_version": str(error.spoken.first), "max_version": str(error.spoken.last)}
    return {"errors": [entry]}


class Style(msgspec.Struct, frozen=True):
    """How a service words its errors: the document, and the status of a passed quota."""

    document: Callable[[Failure], dict[str, Any]]
    quota_status: int = 403


COMPUTE = Style(_compute)
VOLUME = Style(_compute, quota_status=413)
IDENTITY = Style(_identity)
IMAGE = Style(_identity, quota_status=413)
NETWORK = Style(_network, quota_status=409)
PLACEMENT = Style(_placement)


def fail(error: Exception, style: Style, request_id: str) -> Failure:
    """
    What the user is told. Anything but a KilonovaError with a status below 500, or of `_TOLD`, is our bug: only its id is told.

    A database that is away is no bug, nor one whose disk is full; what was asked may be asked again.
    """
    if isinstance(error, DatabaseFull):
        error = DiskFull("records")
    elif isinstance(error, DatabaseAway):
        error = Unavailable("The database does not answer just now.", next_step="Send the request again.")
    if isinstance(error, KilonovaError) and (error.status < 500 or error.status in _TOLD):
        status = style.quota_status if isinstance(error, OverQuota) else error.status
        parts = [_shortened(error.message), error.next_step]
        message = " ".join(
            f"{part.rstrip()}{_stop(part)}" if i == 0 and parts[1] else part for i, part in enumerate(parts) if part
        )
        return Failure(status=status, message=message, request_id=request_id, error=error)
    message = (
        "Unexpected API Error. This is a bug of the cloud, not of your request. "
        f"Give its operator this request id: {request_id}"
    )
    return Failure(status=500, message=message, request_id=request_id)


def _shortened(text: str) -> str:
    """Many a message quotes what was sent, and that may be as long as a body: nobody needs all of it back."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _stop(text: str) -> str:
    return "" if text.rstrip().endswith((".", "!", "?", ":")) else "."


def failure_headers(failure: Failure, auth_url: str) -> Mapping[str, str]:
    """The headers that go with an error: who to ask for a token, when to try again, what is allowed."""
    error = failure.error
    if isinstance(error, Unauthenticated):
        return {"WWW-Authenticate": f'Keystone uri="{auth_url}"'}
    if isinstance(error, Unavailable):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, BadMethod):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, UpgradeRequired):
        return {"Upgrade": "websocket", "Connection": "Upgrade"}
    return {}
