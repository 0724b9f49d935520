"""Regular expressions from clients, as filters of names."""

from __future__ import annotations

from kilonova.domain.errors import InvalidField
from kilonova.domain.regex import portable


def check_pattern(name: str, text: str) -> str:
    """The expression as both databases read it (`domain.regex`). Raises InvalidField, which says what is not supported."""
    try:
        return portable(text)
    except ValueError as problem:
        raise InvalidField(name, str(problem)) from None
