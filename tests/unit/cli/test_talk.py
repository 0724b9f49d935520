"""What is said of others' text is harmless, and there is one way to say it."""

from __future__ import annotations

import ast
import os
import pty
import re
import sys
import unicodedata
from pathlib import Path

import pytest

import kilonova.cli
from kilonova.cli.errors import CliError
from kilonova.cli.output import facts_text, rows_text
from kilonova.cli.talk import harmless, harmless_lines, harmless_values, say

ROOM = Path(kilonova.cli.__file__).parent
PRINTS = re.compile(r"\A(click\.(echo|secho|style|echo_via_pager|prompt)|print|sys\.std(out|err)\.write|Console)\Z")
OWN = {
    "talk.py": {"click.echo", "click.style", "Console"},
    "explanation.py": {"Console"},  # of a document that was made harmless
}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain é 漢字 🙂", "plain é 漢字 🙂"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x9b2J\x85\x7f\x00", "\\x9b2J\\x85\\x7f\\x00"),
        ("gnp\u202etxt\u2066\u200e\u061c", "gnp\\u202etxt\\u2066\\u200e\\u061c"),
        ("\u2028\u2029\ufeff\U000e0041", "\\u2028\\u2029\\ufeff\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("\u0645\u06cc\u200c\u062e 👨\u200d👩", "\u0645\u06cc\u200c\u062e 👨\u200d👩"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, seen: str) -> None:
    assert harmless(text) == seen
    assert harmless_values({text: [text, 1, (text,)]}) == {seen: [seen, 1, [seen]]}


def test_no_character_gets_through_that_is_not_seen() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {one for one in harmless(every) if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert left == {"\u200c", "\u200d"}
    assert {one for one in harmless_lines(every) if unicodedata.category(one) == "Cc"} == {"\n", "\t"}


def test_a_line_break_makes_neither_a_row_nor_a_line_nor_a_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\n1  evil\n  Next: rm -rf"
    assert len(rows_text([{"id": evil, "x": evil}], "table", columns=("id", "x")).splitlines()) == 2
    assert len(facts_text({evil: {evil: [evil]}}, "table").splitlines()) == 1
    say(evil)
    CliError(evil, next_step=evil).show()
    said = capsys.readouterr().err.splitlines()
    assert [line for line in said if line.startswith("  Next")] == ["  Next: a\\n1  evil\\n  Next: rm -rf"]
    assert len(said) == 5


def test_progress_on_a_terminal_is_harmless() -> None:
    """On a real one: what is not our own drawing is seen."""
    script = (
        "from kilonova.cli.talk import progress\n"
        "with progress('\\x1b]0;first\\x07\\u202e') as tell:\n    tell('[red]\\x1b]0;owned\\x07\\x9b2J')\n"
    )
    said = bytearray()

    def read(descriptor: int) -> bytes:
        part = os.read(descriptor, 1024)
        said.extend(part)
        return part

    before = dict(os.environ)
    os.environ.update({"TERM": "xterm", "COLUMNS": "200"})
    os.environ.pop("NO_COLOR", None)
    try:
        assert pty.spawn([sys.executable, "-c", script], read, lambda _: b"") == 0
    finally:
        os.environ.clear()
        os.environ.update(before)
    text = said.decode()
    assert "\\x1b]0;first" in text or "\\x1b]0;owned" in text
    assert not {"\x1b]", "\x07", "\u202e", "\x9b"} & {text[at : at + n] for at in range(len(text)) for n in (1, 2)}


def test_nothing_prints_but_through_the_one_place() -> None:
    found: dict[str, set[str]] = {}
    for path in sorted(ROOM.rglob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {name for call in calls if PRINTS.match(name := ast.unparse(call))}
        if names:
            found[path.name] = names
    assert found == OWN
