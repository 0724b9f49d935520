from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kilonova.api.framework import UNSET
from kilonova.api.framework.compile_out import Encoder
from kilonova.api.framework.versions import Version
from tests.unit.api.framework.example import HookView, KiteView, StringView

KITES = Encoder(KiteView)
STRING = StringView(metres=5, colour="red")


def shown(version: Any, encoder: Any = KITES, **fields: Any) -> Any:
    view = KiteView(**{"id": "1", "name": "x", "string_m": 5, "string": STRING, "host": None} | fields)
    return msgspec.json.decode(msgspec.json.encode(encoder.one(view, Version.parse(version))))


def test_each_version_shows_its_own_fields() -> None:
    assert shown("2.4") == {"id": "1", "name": "x", "string": 5, "OS-EXT-SRV-ATTR:host": None}
    assert shown("2.5")["string"] == {"metres": 5}
    assert shown("2.6")["string"] == {"metres": 5, "colour": "red"}


def test_unset_is_left_out_and_none_is_null() -> None:
    assert "OS-EXT-SRV-ATTR:host" not in shown("2.1", host=UNSET)
    assert shown("2.6", string=None)["string"] is None
    assert "string" not in shown("2.6", string=UNSET)


def test_views_inside_dicts_and_lists_are_versioned() -> None:
    assert shown("2.5", ends={"a": [STRING]})["ends"] == {"a": [{"metres": 5}]}
    assert shown("2.6", ends={"a": [STRING]})["ends"] == {"a": [{"metres": 5, "colour": "red"}]}


def test_equal_stretches_share_one_encoder() -> None:
    assert KITES.wire(Version(2, 7)) is KITES.wire(Version(2, 99))
    assert KITES.wire(Version(2, 4)) is not KITES.wire(Version(2, 5))


def test_a_view_in_its_own_form_is_not_copied() -> None:
    assert Encoder(StringView).one(STRING, Version(2, 6)) is STRING


def test_other_keys_lie_flat_beside_the_named_ones() -> None:
    view = HookView(id="1", string=STRING, others={"os": "bsd", "id": "never"})
    got = msgspec.json.decode(msgspec.json.encode(Encoder(HookView).one(view, Version(2, 1))))
    assert got == {"id": "1", "string": {"metres": 5}, "os": "bsd"}


@given(st.integers(1, 12), st.booleans())
def test_many_is_one_repeated(minor: Any, whole: Any) -> None:
    views = [KiteView(id=str(i), name="x", string_m=i, string=STRING if whole else UNSET) for i in range(3)]
    version = Version(2, minor)
    assert msgspec.json.encode(KITES.many(views, version)) == msgspec.json.encode(
        [KITES.one(v, version) for v in views]
    )
