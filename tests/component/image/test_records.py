"""Who sees which records, what lists are narrowed to, and what the database itself refuses."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from kilonova.domain.context import RequestContext
from kilonova.domain.errors import Conflict, Denied, Missing, OverQuota, Rejected
from kilonova.domain.image import Image, ImageStatus
from kilonova.image import members, records
from kilonova.image.catalog import ImageCatalog, scope_of
from kilonova.image.limits import ImageLimits
from kilonova.image.records import NewImage
from kilonova.image.service import ImageService
from kilonova.store.queries import images
from kilonova.store.queries.image_filters import ImageFilter
from kilonova.store.queries.keyset import Keyset
from kilonova.store.tables.image import images as table
from tests.fakes.auth import ADMIN, CALLERS, MEMBER_A, MEMBER_B, PROJECT_A, PROJECT_B, UNSCOPED
from tests.world.clock import ManualClock

OWNER, STRANGER, ROOT = CALLERS[MEMBER_A], CALLERS[MEMBER_B], CALLERS[ADMIN].across_projects()


def make(service: ImageService, **changes: Any) -> Image:
    return records.create(service, NewImage(**{"owner": PROJECT_A, **changes}))


def listed(service: ImageService, ctx: RequestContext, keyset: Keyset | None = None, **wanted: Any) -> list[str]:
    with service.database.read() as tx:
        return [
            one.name or ""
            for one in images.page_of(tx, ctx, ImageFilter(**wanted), keyset or Keyset(sort=(("name", "asc"),)))
        ]


def anything(_: Image) -> None:
    """Policy lets them."""


@pytest.mark.parametrize(
    ("visibility", "shown", "listed_plainly"),
    [("public", True, True), ("community", True, False), ("shared", False, False), ("private", False, False)],
)
def test_strangers_see_what_visibility_says(
    service: ImageService, visibility: str, shown: bool, listed_plainly: bool
) -> None:
    image = make(service, name="x", visibility=visibility)
    catalog = ImageCatalog(service.database)
    assert catalog.get(OWNER, image.id) == image
    assert catalog.get(CALLERS[ADMIN], image.id) == image
    for alien in (STRANGER, CALLERS[UNSCOPED]):
        if shown:
            assert catalog.get(alien, image.id) == image
        else:
            with pytest.raises(Missing):
                catalog.get(alien, image.id)
        assert listed(service, alien) == (["x"] if listed_plainly else [])
    assert listed(service, OWNER) == listed(service, ROOT) == ["x"]
    assert listed(service, STRANGER, visibility="all") == (["x"] if shown else [])
    assert listed(service, STRANGER, visibility="community") == (["x"] if visibility == "community" else [])


def test_members_see_it_and_list_it_once_they_accepted(service: ImageService) -> None:
    image = make(service, name="x")
    members.add(service, OWNER, image.id, PROJECT_B, anything)
    assert ImageCatalog(service.database).get(STRANGER, image.id) == image
    assert listed(service, STRANGER) == []
    assert listed(service, STRANGER, member_status="pending") == listed(service, STRANGER, member_status="all") == ["x"]
    members.answer(service, STRANGER, image.id, PROJECT_B, "accepted")
    assert listed(service, STRANGER) == listed(service, STRANGER, visibility="shared") == ["x"]
    members.remove(service, OWNER, image.id, PROJECT_B, anything)
    assert listed(service, STRANGER, member_status="all") == []
    with pytest.raises(Missing):
        members.remove(service, OWNER, image.id, PROJECT_B, anything)


def test_a_member_is_one_once_and_only_of_a_shared_image(service: ImageService) -> None:
    image = make(service)
    members.add(service, OWNER, image.id, PROJECT_B, anything)
    with pytest.raises(Conflict):
        members.add(service, OWNER, image.id, PROJECT_B, anything)
    for visibility in ("public", "private", "community"):
        with pytest.raises(Denied, match="Only shared images"):
            members.add(service, OWNER, make(service, visibility=visibility).id, PROJECT_B, anything)


def test_a_private_image_is_hidden_from_those_it_was_shared_with(service: ImageService) -> None:
    image = make(service, name="x")
    members.add(service, OWNER, image.id, PROJECT_B, anything)
    members.answer(service, STRANGER, image.id, PROJECT_B, "accepted")
    records.change(service, OWNER, image.id, lambda one: replace(one, visibility="private"))
    assert listed(service, STRANGER) == []
    with pytest.raises(Missing):
        ImageCatalog(service.database).get(STRANGER, image.id)


def test_a_member_sees_itself_and_no_other(service: ImageService) -> None:
    image = make(service)
    for project in (PROJECT_B, "third"):
        members.add(service, OWNER, image.id, project, anything)
    assert [one.member for one in members.index(service, STRANGER, image.id)] == [PROJECT_B]
    assert len(members.index(service, OWNER, image.id)) == 2
    assert members.show(service, STRANGER, image.id, PROJECT_B).status == "pending"
    with pytest.raises(Missing):
        members.show(service, STRANGER, image.id, "third")


def test_lists_are_narrowed_by_everything(service: ImageService, clock: ManualClock) -> None:
    make(service, name="a", tags=("x", "y"), properties={"os": "deb", "a b": "{}"}, disk_format="raw", min_ram=5)
    clock.advance(10)
    make(service, name="b", tags=("x",), properties={"os": "bsd"}, hidden=True)
    assert listed(service, OWNER, tags=("x",)) == ["a", "b"]
    assert (
        listed(service, OWNER, tags=("x", "y"))
        == listed(service, OWNER, properties={"os": "deb", "a b": "{}"})
        == ["a"]
    )
    assert listed(service, OWNER, properties={"os": "x"}) == listed(service, OWNER, tags=("os",)) == []
    assert listed(service, OWNER, one_of={"hidden": (True,)}) == ["b"]
    assert listed(service, OWNER, one_of={"name": ("a", "z"), "disk_format": ("raw",), "min_ram": (5,)}) == ["a"]
    assert listed(service, OWNER, size_min=0) == []
    later = clock.now() - timedelta(seconds=5)
    assert listed(service, OWNER, times=(("created_at", "gte", later),)) == ["b"]
    assert listed(service, OWNER, times=(("updated_at", "lt", later), ("created_at", "neq", later))) == ["a"]


ODD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=4)
JSON_LIKE = st.sampled_from(['"', ",", '","', '":"', "\\", "[", "a", '\\"'])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ODD | JSON_LIKE, max_size=3, unique=True),
    st.dictionaries(ODD | JSON_LIKE, ODD | JSON_LIKE, max_size=2),
    JSON_LIKE,
)
def test_tags_and_properties_are_found_exactly(
    service: ImageService, tags: list[str], properties: dict[str, str], other: str
) -> None:
    image = make(service, tags=tuple(tags), properties=properties)
    one = {"id": (image.id,)}
    for tag in {*tags, other}:
        assert bool(listed(service, OWNER, tags=(tag,), one_of=one)) is (tag in tags)
    for key in {*properties, other}:
        wanted = properties.get(key, other)
        assert bool(listed(service, OWNER, properties={key: wanted}, one_of=one)) is (key in properties)
    records.delete(service, OWNER, image.id, anything)


def test_pages_join_without_gap_or_overlap(service: ImageService) -> None:
    for i in range(7):
        make(service, name=f"n{i % 3}", disk_format=None if i % 2 else "raw")
    order = (("name", "asc"), ("disk_format", "desc"))
    seen: list[Image] = []
    while True:
        keyset = Keyset(limit=2, marker=seen[-1].id if seen else None, sort=order)
        with service.database.read() as tx:
            page = images.page_of(tx, OWNER, ImageFilter(), keyset)
        seen += page
        if not page:
            break
    assert [one.name for one in seen] == ["n0"] * 3 + ["n1"] * 2 + ["n2"] * 2
    assert len({one.id for one in seen}) == 7


def test_a_marker_of_a_stranger_is_no_marker(service: ImageService) -> None:
    image = make(service, visibility="private")
    with pytest.raises(Rejected, match="marker"):
        listed(service, STRANGER, Keyset(marker=image.id))


def test_an_id_is_given_once_for_ever(service: ImageService) -> None:
    image = make(service)
    records.delete(service, OWNER, image.id, anything)
    with pytest.raises(Missing):
        ImageCatalog(service.database).get(OWNER, image.id)
    with pytest.raises(Conflict):
        make(service, id=image.id)


def test_the_protected_stay(service: ImageService) -> None:
    image = make(service, protected=True)
    with pytest.raises(Denied, match="protected"):
        records.delete(service, OWNER, image.id, anything)


def test_only_what_has_bits_is_switched_off(service: ImageService) -> None:
    with pytest.raises(Conflict):
        records.switched_to(make(service), ImageStatus.DEACTIVATED)


@pytest.mark.parametrize(
    ("limits", "new"),
    [
        (ImageLimits(project_images=0), {}),
        (ImageLimits(tags=1), {"tags": ("a", "b")}),
        (ImageLimits(properties=1), {"properties": {"a": "", "b": ""}}),
    ],
)
def test_there_are_limits(service: ImageService, limits: ImageLimits, new: dict[str, Any]) -> None:
    with pytest.raises(OverQuota):
        make(dataclasses.replace(service, limits=limits), **new)


def test_a_change_sets_the_time_and_no_change_does_not(service: ImageService, clock: ManualClock) -> None:
    image = make(service)
    clock.advance(5)
    assert records.change(service, OWNER, image.id, lambda one: one) == image
    changed = records.change(service, OWNER, image.id, lambda one: replace(one, name="y"))
    assert (
        changed
        == replace(image, name="y", updated_at=clock.now())
        == ImageCatalog(service.database).get(OWNER, image.id)
    )


@pytest.mark.parametrize("values", [{"status": "saving"}, {"upload": "x"}, {"status": "deleted"}])
def test_the_database_refuses_states_that_cannot_be(service: ImageService, values: dict[str, str]) -> None:
    image = make(service)
    with pytest.raises(IntegrityError), service.database.write() as tx:
        tx.execute(update(table).where(table.c.id == image.id).values(values))


def test_an_admin_sees_all() -> None:
    assert scope_of(CALLERS[ADMIN]).all_projects
    assert not scope_of(OWNER).all_projects


def test_what_all_properties_of_an_image_take_is_bounded_however_they_come(service: ImageService) -> None:
    image = make(service, properties={"a": "x" * 40_000})
    with pytest.raises(OverQuota, match="bytes of image properties"):
        make(service, properties={"a": "x" * 40_000, "b": "x" * 40_000})
    with pytest.raises(OverQuota, match="bytes of image properties"):
        records.change(
            service, OWNER, image.id, lambda one: replace(one, properties={**one.properties, "b": "\xfc" * 20_000})
        )
