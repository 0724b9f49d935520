"""URL templates."""

from __future__ import annotations

import pytest

from kilonova.identity.catalog import check_template, filled


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("http://c/compute/v2.1", "http://c/compute/v2.1"),
        ("http://c/v3/$(project_id)s", "http://c/v3/p1"),
        ("http://c/v3/%(tenant_id)s/x", "http://c/v3/p1/x"),
        ("http://c/%(user_id)s/$(project_id)s", "http://c/u1/p1"),
        ("http://c/100%25/%(nothing", "http://c/100%25/%(nothing"),
    ],
)
def test_places_are_filled(template: str, url: str) -> None:
    assert filled(template, {"project_id": "p1", "tenant_id": "p1", "user_id": "u1"}) == url


def test_without_a_project_such_a_url_is_none() -> None:
    assert filled("http://c/$(project_id)s", {"project_id": None}) is None


def test_unknown_places_are_refused_when_an_endpoint_is_made() -> None:
    assert check_template("http://c/$(project_id)s") == "http://c/$(project_id)s"
    with pytest.raises(ValueError, match="admin_url"):
        check_template("http://c/$(admin_url)s")
