"""Facts as data on stdout: for people (table), for programs (json, yaml), for shells (env, ids). Field names are stable."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

FORMATS = ("table", "json", "yaml", "env", "ids")
Facts = Mapping[str, Any]
Command = TypeVar("Command", bound=Callable[..., Any])


def output_option(command: Command) -> Command:
    """`-o FORMAT`, and `--json` for those who think of it first."""
    command = click.option("--json", "output", flag_value="json", help="The same as -o json.")(command)
    return click.option("-o", "--output", type=click.Choice(FORMATS), default="table", help="How to print the facts.")(
        command
    )


def print_rows(rows: Sequence[Facts], output: str, *, columns: Sequence[str]) -> None:
    """Many things, one a row. The table shows `columns` only; other formats have every field."""
    click.echo(rows_text(rows, output, columns=columns), nl=output != "env")


def print_facts(facts: Facts, output: str) -> None:
    """One thing."""
    click.echo(facts_text(facts, output))


def rows_text(rows: Sequence[Facts], output: str, *, columns: Sequence[str]) -> str:
    """What `print_rows` prints."""
    if output == "json":
        return json.dumps(list(rows), indent=2, default=str)
    if output == "yaml":
        return _yaml(list(rows))
    if output == "ids":
        return "\n".join(str(row.get("id", "")) for row in rows)
    if output == "env":
        return "".join(f"{_env(row, prefix=f'{number}_')}\n" for number, row in enumerate(rows))
    return table([[shown(row.get(column)) for column in columns] for row in rows], columns)


def facts_text(facts: Facts, output: str) -> str:
    """What `print_facts` prints."""
    if output == "json":
        return json.dumps(dict(facts), indent=2, default=str)
    if output == "yaml":
        return _yaml(dict(facts))
    if output == "ids":
        return str(facts.get("id", ""))
    if output == "env":
        return _env(facts)
    return "\n".join(pairs([(name, shown(value)) for name, value in facts.items()]))


def table(rows: Sequence[Sequence[str]], columns: Sequence[str]) -> str:
    """Aligned columns under their names."""
    lines = [[column.upper().replace("_", " ") for column in columns], *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def pairs(facts: Sequence[tuple[str, str]]) -> list[str]:
    """Names and values, the values aligned."""
    width = max((len(name) for name, _ in facts), default=0)
    return [f"{name.ljust(width)}  {value}".rstrip() for name, value in facts]


def shown(value: Any) -> str:
    """A value as a table shows it."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={shown(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(one) for one in value)
    return str(value)


def _env(facts: Facts, prefix: str = "") -> str:
    return "\n".join(
        f"KILONOVA_{prefix}{name.upper()}={shlex.quote('' if value is None else _flat(value))}"
        for name, value in facts.items()
    )


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _yaml(value: Any) -> str:
    import yaml  # noqa: PLC0415 - only for those who ask for it

    return str(yaml.safe_dump(json.loads(json.dumps(value, default=str)), sort_keys=False, allow_unicode=True)).rstrip()
