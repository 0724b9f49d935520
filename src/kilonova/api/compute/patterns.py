"""Regular expressions from clients, as filters of names."""

from __future__ import annotations

import re

from kilonova.domain.errors import InvalidField

_MAX_PATTERN = 255
_SAFE = re.compile(r"(?:[^\\{}]|\\[dws.\\^$|()\[\]*+?-])*")
_REPEATS = re.compile(r"(?<!\\)[*+?]")
# Extensions of either language, set operators, possessive and doubled repeats, and repeated groups.
_BEYOND = re.compile(r"\(\?|\[[:.=]|\[[^\]]*(?:--|&&|~~|\|\||\[)|[*+?][*+]|\)[*+?]")


def check_pattern(name: str, text: str) -> str:
    """
    A regular expression that both databases read alike and that is safe to run on every server's name.

    Anchors, classes, alternatives, groups and up to three repeats; no repeated group, so that none takes exponential time.
    Raises InvalidField.
    """
    if len(text) > _MAX_PATTERN:
        raise InvalidField(name, f"a pattern has at most {_MAX_PATTERN} characters")
    if not _SAFE.fullmatch(text) or _BEYOND.search(text) or len(_REPEATS.findall(text)) > 3:
        raise InvalidField(name, "a pattern may have at most three of *, + and ?, none after a group, and no braces")
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as problem:
        raise InvalidField(name, f"not a regular expression: {problem}") from None
    return text
