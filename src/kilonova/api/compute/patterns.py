"""Regular expressions from clients, as filters of names."""

from __future__ import annotations

import re

from kilonova.domain.errors import InvalidField

_MAX_PATTERN = 255
_SAFE = re.compile(r"(?:[^\\{}]|\\[dws.\\^$|()\[\]*+?-])*")
_ESCAPED = re.compile(r"\\.")
_REPEATS = re.compile(r"[*+?]")
# Extensions of either language, set operators, possessive and doubled repeats, and repeated groups.
_BEYOND = re.compile(r"\(\?|\[[:.=]|\[[^\]]*(?:--|&&|~~|\|\||\[)|[*+?][*+]|\)[*+?]")


def check_pattern(name: str, text: str) -> str:
    """
    A regular expression that both databases read alike and that is safe to run on every server's name.

    The worst name has 255 letters, and SQLite's expressions are Python's, which hold up the whole process while they look: so
    there are two repeats at most, and in a pattern with groups one repeat and two bars, as alternatives in a row multiply.
    Raises InvalidField.
    """
    if len(text) > _MAX_PATTERN:
        raise InvalidField(name, f"a pattern has at most {_MAX_PATTERN} characters")
    plain = _ESCAPED.sub("_", text)
    if not _SAFE.fullmatch(text) or _BEYOND.search(plain):
        raise InvalidField(name, "a pattern has no braces, no repeat after a group or another repeat, and no (?")
    has_groups = "(" in plain
    if len(_REPEATS.findall(plain)) > (1 if has_groups else 2) or (has_groups and plain.count("|") > 2):
        raise InvalidField(name, "a pattern has at most two of *, + and ?; with groups, one of them and two of |")
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as problem:
        raise InvalidField(name, f"not a regular expression: {problem}") from None
    return text
