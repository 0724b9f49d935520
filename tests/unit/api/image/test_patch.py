"""JSON patches, in both dialects."""

from __future__ import annotations

from typing import Any

import pytest

from kilonova.api.image.fields import READ_ONLY, RESERVED
from kilonova.api.image.patch import Folded, PatchOp, fold, read
from kilonova.domain.errors import Conflict, Denied, KilonovaError, Rejected


def op(**given: Any) -> PatchOp:
    return PatchOp(**given)


def folded(*ops: PatchOp, **properties: str) -> Folded:
    return fold(read(ops), properties)


def test_attributes_are_set_by_add_and_by_replace() -> None:
    result = folded(op(op="add", path="/name", value="x"), op(op="replace", path="/min_disk", value=3))
    assert result == ({"name": "x", "min_disk": 3}, {})


def test_properties_are_added_replaced_and_removed() -> None:
    result = folded(
        op(op="add", path="/new", value="1"),
        op(op="add", path="/there", value="2"),
        op(op="replace", path="/kept", value="3"),
        op(op="remove", path="/gone"),
        there="", kept="", gone="",
    )  # fmt: skip
    assert result.properties == {"new": "1", "there": "2", "kept": "3"}


def test_operations_apply_in_order() -> None:
    result = folded(
        op(op="add", path="/a", value="1"), op(op="replace", path="/a", value="2"), op(op="remove", path="/a")
    )
    assert result.properties == {}


def test_the_old_dialect_says_the_same() -> None:
    result = folded(op(replace="/name", value="x"), op(add="/p", value="1"), op(remove="/gone"), gone="")
    assert result == ({"name": "x"}, {"p": "1"})


def test_names_are_unescaped() -> None:
    assert folded(op(op="add", path="/a~1b~0c~01", value="v")).properties == {"a/b~c~1": "v"}


@pytest.mark.parametrize("kind", ["add", "replace", "remove"])
@pytest.mark.parametrize("name", sorted(READ_ONLY | RESERVED))
def test_what_is_ours_stays(kind: str, name: str) -> None:
    with pytest.raises(Denied):
        folded(op(op=kind, path=f"/{name}", value="x"))


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"op": "remove", "path": "/name"}, Denied),
        ({"op": "replace", "path": "/nowhere", "value": "x"}, Conflict),
        ({"op": "remove", "path": "/nowhere"}, Conflict),
        ({"op": "move", "path": "/a", "value": "x"}, Rejected),
        ({"op": "add", "path": "/a"}, Rejected),
        ({"op": "add", "value": "x"}, Rejected),
        ({"path": "/a", "value": "x"}, Rejected),
        ({}, Rejected),
        ({"op": "add", "path": "a", "value": "x"}, Rejected),
        ({"op": "add", "path": "", "value": "x"}, Rejected),
        ({"op": "add", "path": "/", "value": "x"}, Rejected),
        ({"op": "add", "path": "/a/", "value": "x"}, Rejected),
        ({"op": "add", "path": "//a", "value": "x"}, Rejected),
        ({"op": "add", "path": "/tags/0", "value": "x"}, Rejected),
        ({"op": "add", "path": "/a~2", "value": "x"}, Rejected),
        ({"op": "add", "path": "/a~", "value": "x"}, Rejected),
        ({"add": "/a", "replace": "/a", "value": "x"}, Rejected),
        ({"op": "add", "path": "/a", "replace": "/a", "value": "x"}, Rejected),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], error: type[KilonovaError]) -> None:
    with pytest.raises(error):
        folded(op(**wrong))
