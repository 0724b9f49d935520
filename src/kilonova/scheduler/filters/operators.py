"""
What several filters read with: caps that aggregates set, and the small language of extra specs.

That has `>= 4`, `s== x86_64`, `<in> kvm`, `<all-in> aes avx`, `<or> a <or> b`, or a plain value.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from kilonova.scheduler.columns import Ints
from kilonova.scheduler.fleet import Fleet

Verb = Callable[[str, list[str]], bool]  # (what the host has, the words after the operator)


def matches(value: Any, wanted: str) -> bool:
    """Whether a host's value is what a spec wants. A value that is not there, or is no number where one is wanted, is not."""
    if value is None:
        return False
    have = str(value)
    verb, *operands = wanted.split() or [""]
    if verb not in _VERBS:
        return have == wanted
    return bool(operands) and _VERBS[verb](have, operands)


def least_of(fleet: Fleet, key: str, default: int) -> Ints:
    """The least whole number that each host's aggregates say under `key`; `default` where none says one."""
    aggregates = fleet.context.aggregates
    caps = []
    for held in aggregates.values:
        said = []
        for one in held:
            with suppress(KeyError, ValueError):
                said.append(int(one.metadata[key]))
        caps.append(min(said, default=default))
    found: Ints = np.array(caps, np.int64)[aggregates.codes]
    return found


def _textual(holds: Callable[[str, str], bool]) -> Verb:
    return lambda have, operands: holds(have, operands[0])


def _numeric(holds: Callable[[float, float], bool]) -> Verb:
    return lambda have, operands: _compare(holds, have, operands[0])


def _compare(holds: Callable[[float, float], bool], have: str, wanted: str) -> bool:
    try:
        return holds(float(have), float(wanted))
    except ValueError:
        return False


_VERBS: dict[str, Verb] = {
    "=": _numeric(operator.ge),  # at least, for history's sake
    "==": _numeric(operator.eq),
    "!=": _numeric(operator.ne),
    ">=": _numeric(operator.ge),
    "<=": _numeric(operator.le),
    "s==": _textual(operator.eq),
    "s!=": _textual(operator.ne),
    "s<": _textual(operator.lt),
    "s<=": _textual(operator.le),
    "s>": _textual(operator.gt),
    "s>=": _textual(operator.ge),
    "<in>": _textual(operator.contains),
    "<all-in>": lambda have, operands: all(word in have for word in operands),
    "<or>": lambda have, operands: have in {word for word in operands if word != "<or>"},
}
