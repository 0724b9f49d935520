"""
From a file and the environment to typed settings.

The environment comes last and wins: `KILONOVA_API_PORT` is `port` of `[api]`. A text is taken as it is where the key holds text,
and else as TOML would read it (`8774`, `true`, `["A", "B"]`). A secret may be given as `KEY_file` instead, in the file or the
environment.

Every error names the file or variable, the section and the key, says what is wrong, and what to do. Values are never repeated:
one of them may be a secret in the wrong place.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec

from kilonova.config.secret import Secret
from kilonova.domain.errors import Rejected

DEFAULT_PATH = Path("/etc/kilonova/kilonova.toml")
PREFIX = "KILONOVA_"
SECTIONS = (
    "database", "bus", "api", "conductor", "scheduler", "host_defaults", "retention", "agent", "images", "network",
    "metrics", "keys", "log",
)  # fmt: skip
_AT = re.compile(r"(.*?)(?: - at `\$\.?(.*?)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_LACKING = re.compile(r"Object missing required field `(.*)`")

Config = TypeVar("Config", bound=msgspec.Struct)
Tables = dict[str, Any]


class BadConfig(Rejected):
    """The settings cannot be used; the message says where and why."""

    code = "rejected.config"


def load_config(
    kind: type[Config], path: Path, environment: Mapping[str, str] | None = None, *, may_lack: bool = False
) -> Config:
    """
    The sections that `kind` has, from the file at `path` and the environment. Other sections are not looked into.

    `may_lack`: that there is no such file is as if it were empty. Raises BadConfig.
    """
    env = os.environ if environment is None else environment
    source = _Source(path, {} if may_lack and not path.exists() else _read(path), {})
    for name in source.tables:
        if name not in SECTIONS:
            raise source.complaint(f"there is no section [{name}]{_meant(name, SECTIONS)}", name)
    wanted = {name: _section(hint) for name, hint in get_type_hints(kind).items()}
    source.tables = {name: table for name, table in source.tables.items() if name in wanted}
    _apply_environment(source, wanted, env)
    for name, section in wanted.items():
        table = source.tables.get(name, {})
        if not isinstance(table, dict):
            raise source.complaint("it must be a section", name)
        _read_secrets(source, name, section)
    try:
        return msgspec.convert(source.tables, kind, dec_hook=_decode)
    except msgspec.ValidationError as problem:
        raise _explained(source, wanted, str(problem)) from None


def _section(hint: Any) -> Any:
    """The section itself, where it may also be left out."""
    return next((one for one in get_args(hint) if one is not type(None)), hint)


class _Source:
    """Where each value came from, so that a complaint can say it. `variables`: those in the place of (section, key)."""

    def __init__(self, path: Path, tables: Tables, variables: dict[tuple[str, str], str]) -> None:
        self.path, self.tables, self.variables = path, tables, variables

    def complaint(self, problem: str, section: str, key: str = "") -> BadConfig:
        variable = self.variables.get((section, key.partition("[")[0].partition(".")[0]))
        where = f"The environment variable {variable}" if variable else str(self.path)
        at = f", [{section}]" + (f" {key}" if key else "")
        step = f"Correct {variable}" if variable else f"Correct it in {self.path}"
        return BadConfig(f"{where}{at}: {problem}.", next_step=f"{step}; `kilonova config sample` shows every key.")


def _read(path: Path) -> Tables:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise BadConfig(f"There is no file {path}.", next_step=f"kilonova config sample > {path}") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise BadConfig(f"{path} cannot be read: {problem}.", next_step=f"ls -l {path}") from None
    except tomllib.TOMLDecodeError as problem:
        raise BadConfig(f"{path} is not TOML: {problem}.", next_step=f"Correct it in {path}.") from None


def _apply_environment(source: _Source, wanted: Mapping[str, Any], env: Mapping[str, str]) -> None:
    for variable, text in sorted(env.items()):
        found = [name for name in wanted if variable.startswith(f"{PREFIX}{name.upper()}_")]
        if not found:
            continue
        section = max(found, key=len)
        key = variable.removeprefix(f"{PREFIX}{section.upper()}_").lower()
        source.variables[section, key] = source.variables[section, key.removesuffix("_file")] = variable
        table = source.tables.setdefault(section, {})
        if key.endswith("_file"):
            table.pop(key.removesuffix("_file"), None)
        else:
            table.pop(f"{key}_file", None)
        table[key] = _value(wanted[section], key, text)


def _value(section: Any, key: str, text: str) -> Any:
    """What a variable's text stands for, by the type of the key."""
    hint = get_type_hints(section).get(key, str)
    if hint in (str, Secret):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text  # the type's own complaint says what it should be


def _read_secrets(source: _Source, name: str, section: Any) -> None:
    table = source.tables.get(name, {})
    for key in secret_keys(section):
        if f"{key}_file" not in table:
            continue
        if key in table:
            raise source.complaint(f"both {key} and {key}_file are given; one of them must go", name, key)
        path = Path(str(table.pop(f"{key}_file")))
        try:
            table[key] = path.read_text().strip()
        except (OSError, UnicodeDecodeError) as problem:
            reason = getattr(problem, "strerror", None) or "it is not text"
            raise source.complaint(f"the file {path} cannot be read: {reason}", name, f"{key}_file") from None


def secret_keys(section: Any) -> list[str]:
    """The keys of a section that hold secrets."""
    return [key for key, hint in get_type_hints(section).items() if hint is Secret or Secret in get_args(hint)]


def _explained(source: _Source, wanted: Mapping[str, Any], problem: str) -> BadConfig:
    """What msgspec complains of, in our words, with its place."""
    found = _AT.fullmatch(problem)
    text, place = (found[1], found[2] or "") if found else (problem, "")
    section, _, key = place.partition(".")
    if (unknown := _UNKNOWN.fullmatch(text)) and section:
        keys = list(get_type_hints(wanted[section])) if section in wanted else []
        return source.complaint(f"there is no such key{_meant(unknown[1], keys)}", section, unknown[1])
    if lacking := _LACKING.fullmatch(text):
        section, key = (section, lacking[1]) if section else (lacking[1], "")
        variable = f"{PREFIX}{section}_{key}".upper() if key else f"a key of {PREFIX}{section}_".upper()
        return source.complaint(f"it is missing, and {variable} is not set", section, key)
    return source.complaint(text[:1].lower() + text[1:], section, key)


def _meant(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _decode(kind: type, value: Any) -> Any:
    if kind is Secret:
        if not isinstance(value, str):
            raise TypeError(f"Expected `str`, got `{type(value).__name__}`")
        return Secret(value)
    raise NotImplementedError(kind)
