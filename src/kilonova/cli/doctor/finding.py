"""What a check has to say."""

from __future__ import annotations

from dataclasses import dataclass

PASS, WARN, FAIL = "pass", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """
    `id` is stable. `what` was looked at and how it stands, `why` it matters or how it was learnt, `remedy`: one command.

    `status`: `fail` stops real servers, or all of them where `for_all`; `warn` makes them slower or fewer.
    """

    id: str
    status: str
    what: str
    why: str = ""
    remedy: str = ""
    for_all: bool = False


def judged(ident: str, what: str, problem: str | None, remedy: str = "") -> Finding:
    """It passes when there is no problem, else it fails for that."""
    return Finding(ident, PASS, what) if problem is None else Finding(ident, FAIL, what, problem, remedy)
