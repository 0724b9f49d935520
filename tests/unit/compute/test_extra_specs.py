"""The validator against the facts it was made from: every name, every allowed value, and what lies just outside."""

import re
from typing import Any

import pytest

from kilonova.compute.extra_specs import check_specs
from kilonova.domain.errors import Rejected
from tests import facts

SPECS = facts.extra_specs()
PARAMETERS = {
    "key": "any", "filter": ":x", "num": "0", "group": "_a", "resource": "GPU", "trait": "FAST", "alias": "x", "index": "1",
}  # fmt: skip
TYPED = [spec for spec in SPECS if spec["value"]["type"] != "str" or "enum" in spec["value"]]
BY_PATTERN = ["0-3", "1", "0", "any", "a1:1", "10-14"]


def name_of(spec: dict[str, Any]) -> str:
    return re.sub(r"{(\w+)}", lambda found: PARAMETERS[found[1]], spec["name"])


def good(spec: dict[str, Any]) -> str:
    value = spec["value"]
    if "enum" in value:
        return str(value["enum"][0])
    if "pattern" in value:
        return next(one for one in BY_PATTERN if re.fullmatch(value["pattern"], one))
    return {"int": str(max(value.get("min", 1), 1)), "bool": "true", "str": "text"}[value["type"]]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec["name"])
def test_every_known_spec_takes_a_good_value(spec: dict[str, Any]) -> None:
    check_specs({name_of(spec): good(spec)})


@pytest.mark.parametrize(
    "spec", [s for s in SPECS if s["value"]["type"] != "str" or "enum" in s["value"]], ids=lambda s: s["name"]
)
def test_a_typed_spec_refuses_what_is_not_of_its_type(spec: dict[str, Any]) -> None:
    with pytest.raises(Rejected, match="is invalid for extra spec"):
        check_specs({name_of(spec): "certainly not"})
    if "min" in spec["value"]:
        with pytest.raises(Rejected, match="it is less than"):
            check_specs({name_of(spec): str(spec["value"]["min"] - 1)})


@pytest.mark.parametrize("name", ["hw:numa_node", "quota:cpu", "trait:NOT_ONE", "resources:vcpu", "os:secure"])
def test_an_unknown_name_in_a_known_namespace_is_refused(name: str) -> None:
    with pytest.raises(Rejected, match="does not appear to be a valid extra spec"):
        check_specs({name: "1"})


def test_an_operators_own_namespace_and_bare_words_pass() -> None:
    check_specs(
        {"mine:anything": "x", "bare": "y", "trait:HW_CPU_X86_AVX2": "required", "trait1:CUSTOM_X": "forbidden"}
    )
