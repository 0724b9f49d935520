"""What bytes are taken for what."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kilonova.domain.image import DISK_FORMATS
from kilonova.domain.image_format import ImageRefused, Inspection
from tests.imageparts import COVERED, boot_sector, iso, qcow2

FLAT = ("raw", "ami", "aki", "ari")
VMDK = b"KDMV" + (1).to_bytes(4, "little") + bytes(504)
DISGUISES = {
    "qcow2": qcow2(),
    "short qcow2": qcow2()[:60],
    "iso": iso(),
    "qed": b"QED\0" + bytes(600),
    "vhd": b"conectix" + bytes(600),
    "vhdx": b"vhdxfile" + bytes(300 * 1024),
    "vdi": bytes(64) + b"\x7f\x10\xda\xbe" + bytes(500),
    "luks": b"LUKS\xba\xbe\x00\x01" + bytes(4096),
}


def judged(disk_format: str, content: bytes, chunk: int = 1000) -> int:
    """The verdict on content that comes in chunks; what passes must be what came."""
    parts = [content[at : at + chunk] for at in range(0, len(content), chunk)]
    inspection = Inspection(disk_format, parts)
    assert b"".join(inspection) == content
    return inspection.verdict(len(content))


@pytest.mark.parametrize("disk_format", FLAT)
@pytest.mark.parametrize("content", [b"x", b"short", b"y" * 5000, boot_sector()])
def test_flat_bytes_are_flat(disk_format: str, content: bytes) -> None:
    assert judged(disk_format, content) == len(content)


@pytest.mark.parametrize("disk_format", FLAT)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_nothing_hides_in_flat_bytes(disk_format: str, disguise: str) -> None:
    with pytest.raises(ImageRefused, match=rf"declared as {disk_format}\b"):
        judged(disk_format, DISGUISES[disguise])


@pytest.mark.parametrize("chunk", [1, 100, 1 << 20])
def test_a_qcow2_tells_its_virtual_size_however_it_comes(chunk: int) -> None:
    assert judged("qcow2", qcow2(virtual=12345), chunk) == 12345


def test_an_iso_may_have_a_boot_sector() -> None:
    hybrid = bytearray(iso())
    hybrid[510:512] = b"\x55\xaa"
    assert judged("iso", bytes(hybrid)) == judged("iso", iso()) == 20 * 2048


def test_a_truncated_iso_is_refused() -> None:
    with pytest.raises(ImageRefused, match="truncated"):
        judged("iso", iso(20, there=19))


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"backing": 104}, "backing_file"),
        ({"features": 1 << 2}, "data_file"),
        ({"features": 1 << 4}, "unknown_features"),
        ({"features": 1 << 40}, "unknown_features"),
        ({"version": 1}, "unknown_features"),
        ({"version": 4}, "unknown_features"),
    ],
)
def test_a_qcow2_that_leads_elsewhere_is_refused(changes: dict[str, int], check: str) -> None:
    with pytest.raises(ImageRefused, match=check):
        judged("qcow2", qcow2(**changes))


@pytest.mark.parametrize("disk_format", ["qcow2", "iso"])
def test_another_format_is_refused_as_soon_as_it_shows(disk_format: str) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"z" * 65536

    with pytest.raises(ImageRefused, match="not that"):
        for _ in Inspection(disk_format, endless()):
            pass


@pytest.mark.parametrize("disk_format", DISK_FORMATS)
def test_two_formats_in_one_are_refused(disk_format: str) -> None:
    both = qcow2()[:400] + iso()[400:]
    with pytest.raises(ImageRefused):
        judged(disk_format, both)


def test_no_bytes_are_no_qcow2() -> None:
    with pytest.raises(ImageRefused):
        judged("qcow2", b"")


def test_a_larger_qcow2_has_the_size_it_says() -> None:
    assert judged("qcow2", qcow2(virtual=2 * COVERED)) == 2 * COVERED
