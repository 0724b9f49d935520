"""Each table says who fills it and what bounds it."""

from __future__ import annotations

import pytest

from kilonova.domain.retention import Retention
from kilonova.image.limits import ImageLimits
from kilonova.network.quotas import DEFAULTS as NETWORK_QUOTAS
from kilonova.store.queries import quotas
from kilonova.store.tables import metadata
from kilonova.store.tables.growth import BOUNDS


def test_every_table_has_a_bound_and_no_other_has() -> None:
    assert BOUNDS.keys() == metadata.tables.keys()


@pytest.mark.parametrize("table", sorted(BOUNDS))
def test_what_a_bound_names_is_there(table: str) -> None:
    bound = BOUNDS[table]
    named = bound.what.split(";")[0].split(",")[0].split(":")[0]
    match bound.kind:
        case "quota":
            assert named in NETWORK_QUOTAS or named in quotas.BUILT_IN, named
        case "hangs on":
            assert named in metadata.tables, named
        case "operator":
            assert bound.by in ("operator", "cloud")
        case "limit" if named == "project_images":
            assert hasattr(ImageLimits(), named)
    for setting in bound.what.partition("[retention] ")[2].replace(",", " ").split():
        assert hasattr(Retention(), setting), setting


def test_nothing_that_a_tenant_fills_is_left_to_operators() -> None:
    assert not [name for name, bound in BOUNDS.items() if bound.by == "tenant" and bound.kind in ("operator", "fixed")]
