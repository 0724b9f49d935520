"""
The errors a user may see, grouped by what the caller should do next.

The base class says the remedy (and so the HTTP status, which only `api/` knows how to write); a subclass adds a
stable dotted `code` where clients or operators may want to tell it apart. An error's text says what is wrong and why;
`next_step`, where there is one, is one command or one change that helps. The text never holds a secret.
"""

from __future__ import annotations

from typing import ClassVar


class KilonovaError(Exception):
    """Base of every error meant to be read by a person. Raise one of the remedies below."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class Away(Exception):
    """What a process stands on does not answer now, by no fault of what was asked; asking again soon helps."""


class Postponed(Exception):
    """
    Not yet, which the one who asked is not told: it is to be done again in `wait_s` seconds, in the threads of `lane`, with this
    ticket, which tells that it has waited.
    """

    def __init__(self, wait_s: float, lane: str, ticket: object) -> None:
        super().__init__(wait_s, lane)
        self.wait_s, self.lane, self.ticket = wait_s, lane, ticket


class Rejected(KilonovaError):
    """400: the request itself is wrong; sending it again changes nothing."""

    status = 400
    code = "rejected"


class InvalidField(Rejected):
    """400: one field of the request is wrong. `field` is its path on the wire, e.g. `server.name`."""

    code = "rejected.field"

    def __init__(self, field: str, problem: str, *, next_step: str = "") -> None:
        super().__init__(f"Invalid input for {field}: {problem}", next_step=next_step)
        self.field = field


class Unauthenticated(KilonovaError):
    """401: no token, an alien or an expired one; authenticate and try again."""

    status = 401
    code = "unauthenticated"


class Denied(KilonovaError):
    """403: the caller may know of the thing but not do this to it."""

    status = 403
    code = "denied"


class OverQuota(KilonovaError):
    """403: a limit of the project or user would be passed. Carries what was asked, used and allowed."""

    status = 403
    code = "over_quota"

    def __init__(self, resource: str, *, requested: int, used: int, limit: int) -> None:
        super().__init__(
            f"Quota exceeded for {resource}: requested {requested}, but already used {used} of {limit} {resource}"
        )
        self.resource, self.requested, self.used, self.limit = resource, requested, used, limit


class Missing(KilonovaError):
    """404: no such thing, or not one the caller may know of."""

    status = 404
    code = "missing"

    def __init__(self, kind: str, ident: object, *, next_step: str = "") -> None:
        super().__init__(f"{kind} {ident} could not be found.", next_step=next_step)
        self.kind, self.ident = kind, ident


class NotAcceptable(KilonovaError):
    """406: a version outside the range this service speaks."""

    status = 406
    code = "not_acceptable"


class Conflict(KilonovaError):
    """409: the thing is not in a state in which this can be done; look at it again first."""

    status = 409
    code = "conflict"


class Gone(KilonovaError):
    """410: this was part of the API once and is no longer."""

    status = 410
    code = "gone"


class TooLarge(KilonovaError):
    """413: the body is larger than the service takes."""

    status = 413
    code = "too_large"


class UnsupportedMedia(KilonovaError):
    """415: the body is not of a type this route reads."""

    status = 415
    code = "unsupported_media"


class Unavailable(KilonovaError):
    """503: true now, maybe not soon; try again after `retry_after_s` seconds."""

    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 2, next_step: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after_s = retry_after_s


class DiskFull(KilonovaError):
    """507: a disk of the cloud is full, or what is left is kept for deleting. Reading, deleting and logging in still work."""

    status = 507
    code = "disk_full"

    def __init__(self, disk: str, *, kept_back: bool = False) -> None:
        state = "has only left what is kept for deleting" if kept_back else "is full"
        super().__init__(
            f"The disk that the cloud keeps its {disk} on {state}.",
            next_step="Delete what is not needed, or ask the cloud's operator for room.",
        )
        self.disk = disk


class Bug(KilonovaError):
    """500: our fault. What happened is in the log under the request id; the user is told only that id."""
