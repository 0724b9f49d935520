"""
Validation of flavor extra specs, as asked for from microversion 2.86 on.

What is known (names, types, limits) is in `extra_specs.json` beside this module. A name in a known namespace must be one of it; a
name outside them all is an operator's own and passes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from kilonova.domain import regex
from kilonova.domain.errors import Rejected

_GROUP = r"([a-zA-Z0-9_-]{1,64})?"
_TRUE_FALSE = frozenset({"t", "true", "on", "y", "yes", "1", "f", "false", "off", "n", "no", "0"})
_INT = re.compile(r"\A[+-]?[0-9]{1,18}\Z")


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """One known extra spec; `{parameter}` in its name stands for what the parameter's pattern matches."""

    name: str
    type: str
    min: int | None = None
    max: int | None = None
    enum: tuple[str, ...] | None = None
    pattern: str | None = None
    parameters: Mapping[str, str] = {}

    def compiled(self) -> re.Pattern[str]:
        """The names it stands for."""
        parts = re.split(r"({\w+})", self.name)
        return re.compile(
            "".join(f"(?:{self.parameters[p[1:-1]]})" if p.startswith("{") else re.escape(p) for p in parts)
        )

    def problem(self, value: str) -> str | None:
        """What is wrong with a value, None when it is fine."""
        if self.type == "bool" and value.lower() not in _TRUE_FALSE:
            return "it is not a boolean"
        if self.type == "int":
            return self._int_problem(value)
        if self.enum is not None and value not in self.enum:
            return f"it is not one of {', '.join(self.enum)}"
        if self.pattern is not None and not regex.compiled(self.pattern).fullmatch(value):
            return f"it does not match {self.pattern}"
        return None

    def _int_problem(self, value: str) -> str | None:
        if not _INT.match(value):
            return "it is not an integer"
        if self.min is not None and int(value) < self.min:
            return f"it is less than {self.min}"
        if self.max is not None and int(value) > self.max:
            return f"it is more than {self.max}"
        return None


class _File(msgspec.Struct):
    traits: list[str]
    specs: list[Spec]


_FILE = msgspec.json.Decoder(_File)


class _Known(msgspec.Struct):
    exact: dict[str, Spec]
    patterns: list[tuple[re.Pattern[str], Spec]]
    namespaces: re.Pattern[str]


def _trait(name: str) -> Spec:
    return Spec(name=f"trait{{group}}:{name}", type="str", enum=("required", "forbidden"), parameters={"group": _GROUP})


@lru_cache(maxsize=1)
def _known() -> _Known:
    text = resources.files("kilonova.compute").joinpath("extra_specs.json").read_bytes()
    read = _FILE.decode(text)
    specs = [*read.specs, *map(_trait, read.traits)]
    namespaces = sorted({spec.name.split(":", 1)[0] for spec in specs if ":" in spec.name})
    words = "|".join(re.escape(name).replace(r"\{group\}", _GROUP) for name in namespaces)
    return _Known(
        exact={spec.name: spec for spec in specs if "{" not in spec.name},
        patterns=[(spec.compiled(), spec) for spec in specs if "{" in spec.name],
        namespaces=re.compile(f"(?:{words})"),
    )


def check_specs(specs: Mapping[str, Any]) -> None:
    """Raise Rejected for the first spec whose name or value is not valid."""
    known = _known()
    for name, value in specs.items():
        spec = known.exact.get(name) or next(
            (spec for pattern, spec in known.patterns if pattern.fullmatch(name)), None
        )
        if spec is None:
            if in_known_namespace(name):
                raise Rejected(f"Validation failed; extra spec '{name}' does not appear to be a valid extra spec.")
            continue
        problem = spec.problem(str(value))
        if problem is not None:
            raise Rejected(f"Validation failed; '{value}' is invalid for extra spec '{name}': {problem}.")


def in_known_namespace(name: str) -> bool:
    """Whether a name begins like those that have a meaning in OpenStack."""
    namespace, colon, _ = name.partition(":")
    return bool(colon) and _known().namespaces.fullmatch(namespace) is not None
