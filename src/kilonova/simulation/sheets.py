"""Tables and documents that people write: CSV and TOML into structs, with the place of what is wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from kilonova.domain.errors import Rejected

Row = TypeVar("Row", bound=msgspec.Struct)


def read_csv(path: Path, kind: type[Row]) -> Iterator[Row]:
    """The rows of a CSV file whose header names fields of `kind`. An empty cell is left to its default. Raises Rejected."""
    with _opened(path) as file:
        sheet = csv.DictReader(file)
        known = kind.__struct_fields__
        unknown = [name for name in sheet.fieldnames or () if name not in known]
        if unknown:
            raise Rejected(f"{path} has a column {unknown[0]!r}.", next_step=f"The columns are {', '.join(known)}.")
        for row in sheet:
            yield _row(f"{path}, line {sheet.line_num}", row, kind)


def read_toml(path: Path, kind: type[Row]) -> Row:
    """A TOML document. Raises Rejected."""
    with _opened(path) as file:
        text = file.read()
    try:
        return msgspec.toml.decode(text, type=kind)
    except (msgspec.DecodeError, ValueError) as wrong:
        raise Rejected(f"{path}: {wrong}") from wrong


def _row(place: str, row: Mapping[str | None, Any], kind: type[Row]) -> Row:
    if None in row or None in row.values():
        raise Rejected(f"{place} does not have as many cells as there are columns.")
    given = {name: _cell(kind, str(name), text.strip()) for name, text in row.items() if text.strip()}
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as wrong:
        raise Rejected(f"{place}: {wrong}") from wrong


def _cell(kind: type[msgspec.Struct], name: str, text: str) -> str | list[str]:
    """A list is written with blanks between its items."""
    return text.split() if "tuple" in str(kind.__annotations__[name]) else text


def _opened(path: Path) -> Any:
    try:
        return path.open(encoding="utf-8", newline="")
    except OSError as wrong:
        raise Rejected(f"{path} cannot be read: {wrong.strerror}.") from wrong
