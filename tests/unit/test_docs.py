"""What the documents say of the tree and of the command must be so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.cli.main import cli
from tests.facts import REPOSITORY

PACKAGE = REPOSITORY / "src" / "kilonova"
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[a-z_.][a-z0-9_.-]*(?:/[a-z0-9_.-]+)*/?")  # capitals stand for names of the reader's
COMMAND = re.compile(r"kilonova ([a-z][a-z-]*)")


def said_files(text: str) -> Iterator[str]:
    """Files and folders of ours: what ends in .py, or is a path with a slash at its end."""
    for code in CODE.findall(text):
        if FILE.fullmatch(code) and code.endswith((".py", "/")):
            yield code


def exists(said: str, near: Path) -> bool:
    roots = (near, REPOSITORY, REPOSITORY / "tests", PACKAGE, *(path for path in PACKAGE.rglob("*") if path.is_dir()))
    return any((root / said).exists() for root in roots)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_documents_name_are_there(document: Path) -> None:
    text = document.read_text()
    assert [said for said in said_files(text) if not exists(said, document.parent)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_that_documents_name_are_there(document: Path) -> None:
    known = {*cli.list_commands(None), "serve"}  # type: ignore[arg-type] # the table is the same for every context
    shown = [code for code in CODE.findall(document.read_text()) if code.startswith("kilonova ")]
    assert {found.group(1) for code in shown if (found := COMMAND.match(code))} <= known
