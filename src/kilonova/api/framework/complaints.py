"""What a decoder found wrong, in a user's words and with the field's path as the client wrote it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from kilonova.domain.errors import InvalidField

_KEY = re.compile(r"\AObject (?P<what>missing required|contains unknown) field `(?P<name>.*)`\Z", re.DOTALL)
_SHOWN = 255


def field_error(problem: Exception, prefix: str) -> InvalidField:
    """Msgspec's complaint (``Expected `str` - at `$.name` ``) as `server.name: Expected str`."""
    text, _, where = str(problem).partition(" - at `")
    spot, _, path = where.removesuffix("`").partition("$")
    path = prefix + path
    key = _KEY.match(text)
    if key:
        path = f"{path}.{key['name']}"
        missing = key["what"].startswith("missing")
        text = "is a required property" if missing else "additional properties are not allowed"
    elif spot:  # "key` in `": the complaint is about a key of that object
        text = f"a key is wrong: {text}"
    return InvalidField(path.lstrip(".")[:_SHOWN] or "body", text.replace("`", ""))


def read_value(fn: Callable[[Any], Any], value: Any, path: str) -> Any:
    """Run a `reads` function; its ValueError becomes the refusal of that field."""
    try:
        return fn(value)
    except ValueError as problem:
        raise InvalidField(path.lstrip(".")[:_SHOWN], str(problem)) from problem


def malformed(problem: Exception) -> str:
    """What is wrong with a body that is no JSON, without quoting it."""
    return "it is nested too deep" if isinstance(problem, RecursionError) else str(problem)
