"""
Facts as data on stdout: for people (table), for programs (json, yaml), for shells (env, ids). Field names are stable.

What is in facts is other people's text: a table shows it harmless (`talk`), the other formats escape it, and stay exact.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from kilonova.cli.talk import harmless, put_lines

FORMATS = ("table", "json", "yaml", "env", "ids")
_UNFOLDED = 1 << 30  # of a line of YAML
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
    put_lines(rows_text(rows, output, columns=columns), nl=output != "env")


def print_facts(facts: Facts, output: str) -> None:
    """One thing."""
    put_lines(facts_text(facts, output))


def rows_text(rows: Sequence[Facts], output: str, *, columns: Sequence[str]) -> str:
    """What `print_rows` prints."""
    if output == "json":
        return json.dumps(list(rows), indent=2, default=str)
    if output == "yaml":
        return _yaml(list(rows))
    if output == "ids":
        return "\n".join(harmless(str(row.get("id", ""))) for row in rows)
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
        return harmless(str(facts.get("id", "")))
    if output == "env":
        return _env(facts)
    return "\n".join(pairs([(harmless(name), shown(value)) for name, value in facts.items()]))


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
    """A value as a table shows it, harmless and on one line."""
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{harmless(str(name))}={shown(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(shown(one) for one in value)
    return harmless(str(value))


def _env(facts: Facts, prefix: str = "") -> str:
    return "\n".join(
        f"KILONOVA_{prefix}{name.upper()}={_quoted('' if value is None else _flat(value))}"
        for name, value in facts.items()
    )


def _quoted(text: str) -> str:
    r"""A word of the shell; with control characters in it as bash and its like read them, `$'\x1b'`."""
    if harmless(text) == text:
        return shlex.quote(text)
    return f"$'{''.join(map(_escaped, text))}'"


def _escaped(one: str) -> str:
    if one in "\\'":
        return f"\\{one}"
    seen = harmless(one)  # `\x85` would be a byte to a shell
    return seen if seen == one or one.isascii() else f"\\U{ord(one):08x}"


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _yaml(value: Any) -> str:
    import yaml  # noqa: PLC0415 - only for those who ask for it

    return str(yaml.safe_dump(json.loads(json.dumps(value, default=str)), sort_keys=False, width=_UNFOLDED)).rstrip()
