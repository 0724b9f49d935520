import subprocess
import sys
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonova.api.framework import UNSET, Maybe, Params, View, since, until, wire
from kilonova.api.framework.compile_in import Decoder
from kilonova.api.framework.schema import edges_of, fields_of, stretch_of
from kilonova.api.framework.versions import Version
from kilonova.domain.errors import InvalidField, Rejected
from tests.unit.api.framework.example import CreateKite, CutString, Hook, ListKites, OpenQuery, Tail

KITE = Decoder(CreateKite, "kite")
V = Version.parse
ANY_VERSION = st.builds(Version, st.just(2), st.integers(1, 12))


def kite(version: Any = "2.1", **fields: Any) -> Any:
    body = {"name": "x", **({"wind": "west"} if V(version) >= (2, 8) else {}), **fields}
    return KITE.from_json(msgspec.json.encode({"kite": body}), V(version))


def refused(version: Any = "2.1", **fields: Any) -> Any:
    with pytest.raises(InvalidField) as caught:
        kite(version, **fields)
    return str(caught.value)


def test_absent_fields_are_unset_or_have_their_default() -> None:
    got = kite()
    assert got.name == "x"
    assert got.string_m == 50
    assert got.metadata is UNSET
    assert got.locked is UNSET


def test_a_field_is_an_unknown_key_before_its_version() -> None:
    assert "kite.locked: additional properties are not allowed" in refused("2.8", locked=True)
    assert kite("2.9", locked="on").locked is True


def test_a_field_is_an_unknown_key_after_its_version() -> None:
    assert kite("2.2", wind=3).old_wind == 3
    assert "kite.wind" in refused("2.3", wind=3)


def test_one_wire_name_may_have_two_types() -> None:
    got = kite("2.8", wind="north")
    assert (got.wind, got.old_wind) == ("north", UNSET)
    assert "kite.wind: Expected str, got int" in refused("2.8", wind=3)


def test_a_field_without_default_is_required_where_it_exists() -> None:
    assert kite("2.7").wind is UNSET
    with pytest.raises(InvalidField, match=r"kite\.wind: is a required property"):
        KITE.from_json(b'{"kite": {"name": "x"}}', V("2.8"))


def test_required_holds_in_its_range_only() -> None:
    assert "kite.owner: is a required property" in refused("2.4")
    assert kite("2.4", owner=None).owner is None
    assert kite("2.7").owner is UNSET


def test_becomes_changes_the_limit_from_its_version() -> None:
    assert "length <= 3" in refused("2.6", owner=None, kind="four")
    assert kite("2.7", kind="fiver").kind == "fiver"
    assert "length <= 5" in refused("2.7", kind="sixsix")


def test_nested_shapes_are_versioned_and_named_in_errors() -> None:
    assert kite("2.5", owner=None, tails=[{"length": 1, "colour": "red"}]).tails == [Tail(length=1, colour="red")]
    assert "kite.tails[1].colour: additional" in refused("2.3", tails=[{"length": 1}, {"length": 2, "colour": "red"}])
    assert "kite.tails[0].length: Expected int <= 9" in refused(tails=[{"length": 10}])


def test_limits_hold_after_reading_a_string_of_digits() -> None:
    assert kite(**{"OS-KITE:string": "77"}).string_m == 77
    assert "kite.OS-KITE:string: Expected int <= 500" in refused(**{"OS-KITE:string": "501"})
    assert "is not an integer" in refused(**{"OS-KITE:string": "many"})


def test_keys_and_values_of_dicts_are_checked() -> None:
    assert kite(metadata={"a": "b"}).metadata == {"a": "b"}
    assert "kite.metadata: '/' is not a key" in refused(metadata={"/": "b"})
    assert "kite.metadata[...]: Expected str of length <= 255" in refused(metadata={"a": "b" * 256})


def test_envelopes_are_strict() -> None:
    for body in (b"{}", b'{"kite": {"name": "x"}, "also": 1}', b"[]", b'{"kite": []}', b"null", b'"kite"', b"7"):
        with pytest.raises(InvalidField):
            KITE.from_json(body, V("2.1"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"kite": {"name": ' + b'{"a":' * 50_000,
        b'{"kite": {"name": "\xff\xfe"}}',
        b'{"kite": {"name": "\\ud800"}}',
        b'{"kite": {"name": NaN}}',
        b'{"kite": {"name": "a\x00b"}}',
        b'\xef\xbb\xbf{"kite": {"name": "x"}}',
        b'{"kite": {"name": "x", "OS-KITE:string": ' + b"9" * 5000 + b"}}",
        b'{"kite": {"name": "x", "OS-KITE:string": 1e999}}',
        b'{"kite": {"name": "x", "wind": 99999999999999999999}}',
    ],
)
def test_hostile_bodies_are_rejected_and_nothing_else(body: Any) -> None:
    with pytest.raises(Rejected):
        KITE.from_json(body, V("2.1"))


def test_of_a_key_sent_twice_the_last_counts() -> None:
    assert KITE.from_json(b'{"kite": {"name": "a", "name": "b"}}', V("2.1")).name == "b"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
kite_like = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        ("name", "OS-KITE:string", "metadata", "tails", "kind", "owner", "wind", "locked"), json_values
    ),
)


@given(json_values | st.fixed_dictionaries({"kite": kite_like}), ANY_VERSION)
def test_junk_gives_a_kite_or_a_refusal(junk: Any, version: Any) -> None:
    try:
        body = msgspec.json.encode(junk)
    except UnicodeEncodeError:  # a lone surrogate: no JSON says it
        return
    try:
        assert isinstance(KITE.from_json(body, version), CreateKite)
    except Rejected:
        return


@given(ANY_VERSION)
def test_a_stretch_decodes_like_the_version_itself(version: Any) -> None:
    stretch = stretch_of(CreateKite, version)
    assert stretch <= version
    for spec in fields_of(CreateKite):
        assert (stretch in spec.within) == (version in spec.within)
        assert spec.type_at(stretch) == spec.type_at(version)


def test_equal_stretches_share_one_decoder() -> None:
    assert KITE.wire_type(V("2.9")) is KITE.wire_type(V("2.10"))
    assert KITE.wire_type(V("2.8")) is not KITE.wire_type(V("2.9"))
    assert edges_of(CreateKite) == tuple(map(V, ("2.3", "2.4", "2.5", "2.7", "2.8", "2.9")))


def test_unknown_keys_may_be_data() -> None:
    hook = Decoder(Hook)
    assert hook.from_json(b'{"id": "1", "b": "c"}', V("2.1")).others == {"b": "c"}
    with pytest.raises(InvalidField, match="Expected str of length <= 5"):
        hook.from_json(b'{"id": "1", "b": "cccccc"}', V("2.1"))
    with pytest.raises(InvalidField, match="id: is a required"):
        hook.from_json(b"{}", V("2.1"))


def test_any_type_may_be_decoded() -> None:
    assert Decoder(list[Tail]).from_json(b'[{"length": 1}]', V("2.1")) == [Tail(length=1)]
    with pytest.raises(InvalidField, match=r"\[0\]\.length"):
        Decoder(list[Tail]).from_json(b'[{"length": 0}]', V("2.1"))
    optional = Decoder(CutString | None)
    assert optional.from_json(b"null", V("2.1"), ".cut") is None
    assert optional.from_json(b'{"force": "yes"}', V("2.1"), ".cut") == CutString(force=True)
    with pytest.raises(InvalidField, match=r"cut\.force: 'maybe' is not a boolean"):
        optional.from_json(b'{"force": "maybe"}', V("2.1"), ".cut")


def test_queries_read_text_and_repeated_keys() -> None:
    query = Decoder(ListKites)
    got = query.from_query({"limit": ["5"], "tag": ["a", "b"], "name": ["x", "y"], "sort_key": ["name"]}, V("2.1"))
    assert (got.limit, got.tag, got.name, got.sort_key) == (5, ["a", "b"], "y", ["name"])
    for bad in ("-1", "x", "1.5", "", "9" * 30):
        with pytest.raises(InvalidField, match="limit"):
            query.from_query({"limit": [bad]}, V("2.1"))


def test_unknown_query_keys_are_refused_in_the_strict_range_only() -> None:
    query = Decoder(ListKites)
    assert query.from_query({"nix": ["1"], "colour": ["red"]}, V("2.1")).colour is UNSET
    assert query.from_query({"colour": ["red"]}, V("2.10")).colour == "red"
    with pytest.raises(InvalidField, match="nix"):
        query.from_query({"nix": ["1"]}, V("2.10"))


def test_unknown_query_keys_may_be_filters() -> None:
    got = Decoder(OpenQuery).from_query({"limit": ["5"], "os:type": ["a", "b"]}, V("2.1"))
    assert (got.limit, got.filters) == (5, {"os:type": "b"})


def test_two_fields_of_one_wire_name_must_not_meet() -> None:
    class Torn(Params):
        a: int
        b: int

    Torn.__annotations__ = {"a": Maybe[int], "b": Maybe[int]}
    assert len(fields_of(Torn)) == 2

    class Clash(View):
        a: int
        b: int

    Clash.__annotations__ = {"a": Annotated[int, until("2.5")], "b": Annotated[int, wire("a"), since("2.5")]}
    with pytest.raises(TypeError, match="both 'a'"):
        fields_of(Clash)


def test_long_unknown_keys_are_not_sent_back_whole() -> None:
    with pytest.raises(InvalidField) as caught:
        KITE.from_json(b'{"kite": {"name": "x", "' + b"y" * 9999 + b'": 1}}', V("2.1"))
    assert len(str(caught.value)) < 400


FIRST_USES = """
import sys, threading
from kilonova.api.framework import Params
from kilonova.api.framework.compile_in import Decoder
from kilonova.api.framework.versions import Version

sys.setswitchinterval(1e-6)
for _ in range(60):
    class Inner(Params):
        a: int
        b: list[str]
    class Outer(Params):
        one: Inner
        more: list[Inner]
    together = threading.Barrier(8)
    def read():
        decoder = Decoder(Outer)
        together.wait()
        decoder.from_json(b'{"one": {"a": 1, "b": ["x"]}, "more": [{"a": 1, "b": []}]}', Version(2, 1))
    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_decoders_of_one_part_may_be_used_for_the_first_time_by_many_threads_at_once() -> None:
    ended = subprocess.run([sys.executable, "-c", FIRST_USES], check=False, timeout=60)
    assert ended.returncode == 0  # -11: msgspec read what another thread was still writing
