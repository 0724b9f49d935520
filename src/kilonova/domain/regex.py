r"""
Regular expressions that come from outside, in a language that both databases read alike, and searched in linear time.

SQLite has no expressions of its own: ours are RE2's there, whose time grows with the text's length and nothing else. PostgreSQL's
engine searches in linear time too as long as nobody asks for back references or what a group held, and nobody can here. They
differ (and Python's from both) in many corners, so `portable` reads an expression piece by piece, takes only what means the same
everywhere, and writes it out in the one way that everybody reads alike: `\d`, `\s` and `\w` are ASCII's, spelled out.

    .  ^  $  |  ( )  *  +  ?  \d \s \w  \ before a character that is no letter or digit  [abc] [a-z] [^...]

Not in it, and refused by name: braces (they multiply); lazy, possessive and doubled repeats; `(?`; other escapes (`\b` is a
word's edge here and a backspace there); `[:alpha:]` and its like; sets of sets; repeats of nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

import re2

MOST = 255
"""Characters of an expression."""
_CLASSES = {"d": "0-9", "s": r"\t\n\v\f\r ", "w": "0-9A-Za-z_"}
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_ITEM = re.compile(r"\\.|.", re.DOTALL)
_SPECIAL = frozenset("\\^$.|?*+()[]{}-")
_REPEATS = frozenset("*+?")
_MEMORY = 1 << 20  # bytes that one expression may take; with less than it wants it is slower, never exponential


def portable(text: str) -> str:
    """The expression as both engines read it. Raises ValueError, which says what is wrong or not supported."""
    if len(text) > MOST:
        raise ValueError(f"an expression has at most {MOST} characters")
    parts, depth, before = list[str](), 0, "|"
    for piece in _PIECE.findall(text):
        depth += {"(": 1, ")": -1}.get(piece, 0)
        if depth < 0:
            raise ValueError("there is a ) without its (")
        parts.append(_piece(piece, before))
        before = piece
    if depth:
        raise ValueError("there is a ( without its )")
    made = "".join(parts)
    try:
        compiled(made)
    except re2.error as problem:
        raise ValueError(f"it is not a regular expression: {_words(problem)}") from None
    return made


def _piece(piece: str, before: str) -> str:
    if piece in _REPEATS:
        _check_repeat(piece, before)
    elif piece in ("{", "}"):
        raise ValueError("braces are not supported: write the repeat out, or \\{ for the character")
    elif piece.startswith("\\"):
        inside = _escaped(piece)
        return f"[{inside}]" if piece[1:] in _CLASSES else inside
    elif piece.startswith("["):
        return _bracket(piece)
    return piece


def _check_repeat(piece: str, before: str) -> None:
    if before in _REPEATS:
        raise ValueError("a repeat after a repeat is not supported")
    if before in ("^", "$", "(", "|"):
        hint = ": (? is not supported" if (before, piece) == ("(", "?") else ""
        raise ValueError(f"there is nothing that {piece} could repeat{hint}")


def _bracket(piece: str) -> str:
    negated = "^" if piece.startswith("[^") else ""
    items = _ITEM.findall(piece[1 + len(negated) : -1])
    if not items:
        raise ValueError("there is a [ without its ]")
    return f"[{negated}{''.join(_items(items))}]"


def _items(items: list[str]) -> Iterator[str]:
    for i, item in enumerate(items):
        if item == "[":
            raise ValueError("a [ inside of [] is not supported: write \\[ for the character")
        if item == "-" and 0 < i < len(items) - 1:
            if {items[i - 1], items[i + 1]} & {"-", *(f"\\{name}" for name in _CLASSES)} or items[i - 2 : i - 1] == [
                "-"
            ]:
                raise ValueError("a - inside of [] stands between two characters, first or last")
            yield "-"
        else:
            yield _escaped(item) if item.startswith("\\") else _literal(item)


def _escaped(piece: str) -> str:
    name = piece[1:]
    if name in _CLASSES:
        return _CLASSES[name]
    if not name or name.isalnum():
        raise ValueError(f"the escape {piece} is not supported")
    return _literal(name)


def _literal(character: str) -> str:
    return f"\\{character}" if character in _SPECIAL else character


def _words(problem: Exception) -> str:
    said = problem.args[0] if problem.args else problem
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


@functools.lru_cache(maxsize=256)
def compiled(expression: str) -> re2._Regexp[str]:
    """The expression, ready to search with. Raises re2.error."""
    options = re2.Options()
    options.max_mem, options.log_errors, options.dot_nl = _MEMORY, False, True
    return re2.compile(expression, options)


def found(expression: str, text: str | None) -> bool | None:
    """Whether an expression is found in a text; SQLite's REGEXP. None, as of NULL, in nothing."""
    return None if text is None else compiled(expression).search(text) is not None
