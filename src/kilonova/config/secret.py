"""A text that is shown to nobody."""

from __future__ import annotations

import re

_PASSWORD = re.compile(r"(://[^:/@\s]*:)[^@/\s]*@")


class Secret:
    """Holds a text; printed, logged or encoded it is three stars. `reveal` is for those who need it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "***"


def without_password(url: str) -> str:
    """A URL as it may be shown: `amqp://kilonova:***@rabbit:5672/`."""
    return _PASSWORD.sub(r"\1***@", url)
