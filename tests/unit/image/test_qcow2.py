"""Whether a qcow2 is whole and harmless: every way in which it is not, by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kilonova.domain.image_format import ImageRefused
from kilonova.image import qcow2 as checker
from kilonova.image.limits import ImageLimits
from tests.imageparts import CLUSTER, COVERED, qcow2

LIMITS = ImageLimits(qcow2_unpacked=16 * CLUSTER, qcow2_expansion=4)
DATA, TABLE = 5 * CLUSTER, 4 * CLUSTER
COPIED, COMPRESSED = 1 << 63, 1 << 62


def check(folder: Path, **changes: Any) -> None:
    file = folder / "image"
    file.write_bytes(qcow2(**changes))
    checker.check(file, LIMITS)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"version": 2},
        {"l2": []},
        {"l1": [0], "clusters": 4},
        {"l1": [TABLE | COPIED], "l2": [DATA | COPIED, 1]},
        {"l2": [DATA | COMPRESSED]},
        {"features": 1},  # dirty: refcounts are made anew
        {"l1": [TABLE, 0], "virtual": 2 * COVERED},
        {"l2": [DATA] * 10},
    ],
)
def test_what_is_whole_passes(tmp_path: Path, changes: dict[str, Any]) -> None:
    check(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"crypt": 1}, "encrypted"),
        ({"crypt": 2}, "encrypted"),
        ({"features": 1 << 1}, "corrupt"),
        ({"bits": 8}, "clusters is out of range"),
        ({"bits": 22}, "clusters is out of range"),
        ({"bits": 4_000_000_000}, "clusters is out of range"),
        ({"snapshots": 1001}, "snapshots"),
        ({"virtual": COVERED + 1}, "does not fit"),
        ({"l1_entries": 4_000_000_000}, "does not fit"),
        ({"l1_entries": 1_000_000}, "truncated"),
        ({"clusters": 1}, "truncated"),
        ({"clusters": 4}, "tables is not in the file"),
        ({"clusters": 5}, "behind its end"),
        ({"l1": [TABLE + 512 * 1000]}, "tables is not in the file"),
        ({"l1": [(1 << 55) + 512]}, "tables is not in the file"),
        ({"l2": [DATA, 1 << 40]}, "behind its end"),
        ({"l2": [COMPRESSED | (6 * CLUSTER)]}, "behind its end"),
        ({"l2": [DATA] * 64}, "unpack to"),
        ({"l1": [TABLE] * 40, "virtual": 40 * COVERED}, "unpack to"),
    ],
)
def test_what_is_not_is_refused(tmp_path: Path, changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ImageRefused, match=why):
        check(tmp_path, **changes)


def test_a_header_alone_is_no_image(tmp_path: Path) -> None:
    file = tmp_path / "image"
    file.write_bytes(qcow2()[:60])
    with pytest.raises(ImageRefused):
        checker.check(file, LIMITS)
