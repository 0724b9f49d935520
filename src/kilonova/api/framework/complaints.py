"""What a decoder found wrong, in a user's words and with the field's path as the client wrote it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kilonova.domain.errors import InvalidField, Rejected

_AT = re.compile(r"\A(?P<problem>.*?)(?: - at (?:`(?P<key>key)` in )?`\$(?P<path>.*)`)?\Z", re.DOTALL)
_KEY = re.compile(r"\AObject (?P<what>missing required|contains unknown) field `(?P<name>.*)`\Z", re.DOTALL)


def field_error(problem: Exception, prefix: str) -> InvalidField | Rejected:
    """Msgspec's complaint in a user's words: `server.name: Expected str of length <= 255`."""
    found = _AT.match(str(problem))
    path = prefix + (found["path"] or "" if found else "")
    text = (found["problem"] if found else str(problem)).replace("`", "")
    key = _KEY.match(found["problem"]) if found else None
    if key:
        path = f"{path}.{key['name']}"
        text = (
            "is a required property" if key["what"].startswith("missing") else "additional properties are not allowed"
        )
    elif found and found["key"]:
        text = f"a key is wrong: {text}"
    return InvalidField(path.lstrip(".") or "body", text)


def read_value(fn: Callable[[Any], Any], value: Any, path: str) -> Any:
    """Run a `reads` function; its ValueError becomes the refusal of that field."""
    try:
        return fn(value)
    except ValueError as problem:
        raise InvalidField(path.lstrip("."), str(problem)) from problem


def malformed(problem: Exception) -> str:
    """What is wrong with a body that is no JSON, without quoting it."""
    return "it is nested too deep" if isinstance(problem, RecursionError) else str(problem)
