"""The image cache: fetched once, never half there, hostile images refused and gone without a trace."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kilonova.agent.failure import HostFailure
from kilonova.agent.images import qemu_img
from kilonova.agent.images.cache import ImageCache, cache_key
from kilonova.domain.clock import SystemClock
from kilonova.domain.machine import ImageRef
from tests.fakes.host import ImageShelf
from tests.smalldisk import fill, small_disk

MIB = 1 << 20
DAY = timedelta(days=1)


def ref(content: bytes, disk_format: str, *, image_id: str = "img", size: int | None = None) -> ImageRef:
    digest = hashlib.sha512(content).hexdigest()
    return ImageRef(id=image_id, disk_format=disk_format, size=len(content) if size is None else size, sha512=digest)


def qcow2(folder: Path, *options: str, size: str = "8M") -> bytes:
    path = folder / "made.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), size], check=True)
    return path.read_bytes()


class Shelf:
    """A cache over a shelf, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "cache"
        self.source = ImageShelf()
        self.cache = self.new_cache()

    def new_cache(self) -> ImageCache:
        return ImageCache(self.folder, self.source, SystemClock())

    def put(self, content: bytes, disk_format: str, **changes: object) -> ImageRef:
        image = ref(content, disk_format, **changes)  # type: ignore[arg-type]
        self.source.images[image.id] = content
        return image

    def refuses(self, image: ImageRef, says: str) -> None:
        with pytest.raises(HostFailure, match=says) as raised:
            self.cache.fetch(image)
        assert raised.value.fault.elsewhere is False
        assert {path.suffix for path in self.folder.iterdir()} <= {".lock"}


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_a_flat_image_is_kept_as_it_is_with_its_holes(shelf: Shelf) -> None:
    content = b"boot" + bytes(4 * MIB) + b"end"
    base = shelf.cache.fetch(shelf.put(content, "raw"))
    assert (base.format, base.virtual_size) == ("raw", len(content))
    assert base.path.read_bytes() == content
    assert base.path.stat().st_blocks * 512 < MIB


def test_a_qcow2_stays_one_and_becomes_flat_when_asked(shelf: Shelf, tmp_path: Path) -> None:
    image = shelf.put(qcow2(tmp_path), "qcow2")
    base = shelf.cache.fetch(image)
    assert (base.format, base.virtual_size) == ("qcow2", 8 * MIB)
    flat = shelf.cache.fetch_flat(image)
    assert (flat.format, flat.path.stat().st_size) == ("raw", 8 * MIB)
    assert shelf.cache.fetch_flat(image) == flat
    assert shelf.source.reads == {"img": 1}


def test_it_is_fetched_once_however_many_wait(shelf: Shelf) -> None:
    image = shelf.put(os.urandom(MIB), "raw")
    others = [shelf.cache, shelf.new_cache()]
    with ThreadPoolExecutor(16) as pool:
        bases = set(pool.map(lambda number: others[number % 2].fetch(image).path, range(32)))
    assert len(bases) == 1
    assert shelf.source.reads == {"img": 1}


def test_a_new_checksum_is_a_new_entry(shelf: Shelf) -> None:
    one = shelf.cache.fetch(shelf.put(b"one", "raw"))
    two = shelf.cache.fetch(shelf.put(b"two", "raw"))
    assert (one.path.read_bytes(), two.path.read_bytes()) == (b"one", b"two")


# --- bad images ---


def test_a_backing_file_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(8 * MIB))
    shelf.refuses(shelf.put(qcow2(tmp_path, "-b", str(secret), "-F", "raw"), "qcow2"), "backing_file")


def test_a_data_file_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    content = qcow2(tmp_path, "-o", f"data_file={tmp_path / 'elsewhere'},data_file_raw=on")
    shelf.refuses(shelf.put(content, "qcow2"), "data_file")


def test_an_unknown_feature_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    content = bytearray(qcow2(tmp_path))
    content[72] |= 0x80  # the highest of the incompatible features
    shelf.refuses(shelf.put(bytes(content), "qcow2"), "unknown_features")


@pytest.mark.parametrize(
    ("made_as", "declared"), [("qcow2", "raw"), ("qcow2", "ami"), ("vmdk", "raw"), ("vdi", "qcow2"), ("raw", "qcow2")]
)
def test_a_wrong_format_is_refused(shelf: Shelf, tmp_path: Path, made_as: str, declared: str) -> None:
    path = tmp_path / "image"
    subprocess.run(["qemu-img", "create", "-q", "-f", made_as, str(path), "2M"], check=True)
    shelf.refuses(shelf.put(path.read_bytes(), declared), f"declared as {declared}")


def test_a_qcow2_that_is_cut_off_is_refused(shelf: Shelf, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.write_bytes(os.urandom(4 * MIB))
    path = tmp_path / "made.qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(whole), str(path)], check=True)
    content = path.read_bytes()
    shelf.refuses(shelf.put(content[: len(content) // 2], "qcow2"), "refused")
    shelf.refuses(shelf.put(content[:100], "qcow2"), "refused")


def test_tables_that_point_nowhere_are_refused(shelf: Shelf, tmp_path: Path) -> None:
    content = bytearray(qcow2(tmp_path))
    struct.pack_into(">Q", content, 40, 1 << 50)  # where the first table is
    shelf.refuses(shelf.put(bytes(content), "qcow2"), "refused")


def test_more_or_fewer_bytes_than_the_record_says_are_refused(shelf: Shelf) -> None:
    shelf.refuses(shelf.put(b"x" * 100, "raw", size=99), "longer than the 99 bytes")
    shelf.refuses(shelf.put(b"x" * 100, "raw", size=101), "has 100 bytes")


def test_other_bytes_than_the_record_says_are_refused(shelf: Shelf) -> None:
    image = shelf.put(b"right", "raw")
    shelf.source.images["img"] = b"wrong"
    shelf.refuses(image, "checksum")


def test_an_image_that_is_gone_is_refused(shelf: Shelf) -> None:
    shelf.refuses(ref(b"", "raw", image_id="gone"), "no content")


@pytest.mark.parametrize("image_id", ["../../etc/passwd", "", "a/b", ".hidden", "x" * 200])
def test_an_id_that_is_no_name_is_refused(shelf: Shelf, image_id: str) -> None:
    shelf.refuses(ref(b"", "raw", image_id=image_id), "not a plain name")


def test_a_connection_that_breaks_may_be_tried_again_and_leaves_nothing(shelf: Shelf, tmp_path: Path) -> None:
    class Broken:
        def read(self, image_id: str) -> Iterator[bytes]:
            yield b"some"
            raise ConnectionResetError("reset")

    cache = ImageCache(tmp_path / "broken", Broken(), SystemClock())
    with pytest.raises(HostFailure) as raised:
        cache.fetch(ref(b"something", "raw"))
    assert raised.value.fault.elsewhere
    assert cache.parts() == []


def test_a_full_disk_is_this_hosts_own_fault(tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "full", ImageShelf({"img": b"x"}), SystemClock(), reserved_bytes=1 << 60)
    with pytest.raises(HostFailure) as raised:
        cache.fetch(ref(b"x", "raw"))
    assert (raised.value.fault.code, raised.value.fault.elsewhere) == (507, True)


# --- crashes and age ---


def test_what_a_crash_left_is_removed_unless_somebody_is_at_it(shelf: Shelf) -> None:
    for key in ("left", "live"):
        (shelf.folder / f"{key}.bits.part").write_bytes(b"half")
    with (shelf.folder / "live.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cache = shelf.new_cache()
        assert [path.name for path in cache.parts()] == ["live.bits.part"]
    assert shelf.new_cache().parts() == []


def test_bits_without_their_information_are_fetched_again(shelf: Shelf) -> None:
    image = shelf.put(b"right", "raw")
    (shelf.folder / f"{cache_key(image)}.bits").write_bytes(b"wrong")
    assert shelf.cache.fetch(image).path.read_bytes() == b"right"


def test_old_entries_go_and_those_in_use_stay(shelf: Shelf) -> None:
    old, used, young = (shelf.put(name.encode(), "raw", image_id=name) for name in ("old", "used", "young"))
    for image in (old, used, young):
        shelf.cache.fetch(image)
    past = (datetime.now(UTC) - 2 * DAY).timestamp()
    for image in (old, used):
        os.utime(shelf.folder / f"{cache_key(image)}.json", (past, past))
    assert shelf.cache.sweep(datetime.now(UTC), {cache_key(used)}, DAY) == [cache_key(old)]
    assert shelf.cache.keys() == sorted([cache_key(used), cache_key(young)])
    assert not [path for path in shelf.folder.iterdir() if path.name.startswith("old-")]


def test_using_an_entry_makes_it_young(shelf: Shelf) -> None:
    image = shelf.put(b"x", "raw")
    shelf.cache.fetch(image)
    past = (datetime.now(UTC) - 2 * DAY).timestamp()
    os.utime(shelf.folder / f"{cache_key(image)}.json", (past, past))
    shelf.cache.fetch(image)
    assert shelf.cache.sweep(datetime.now(UTC), (), DAY) == []


def test_sweeping_beside_fetching_never_yields_half_an_entry(shelf: Shelf) -> None:
    content = os.urandom(1 << 16)
    image = shelf.put(content, "raw")
    stop = threading.Event()

    def sweep() -> None:
        while not stop.is_set():
            shelf.cache.sweep(datetime.now(UTC), (), timedelta(seconds=-1))

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for _ in range(100):
            shelf.cache.fetch(image)
    finally:
        stop.set()
        sweeper.join()
    assert shelf.cache.fetch(image).path.read_bytes() == content
    assert json.loads((shelf.folder / f"{cache_key(image)}.json").read_text())["virtual_size"] == len(content)


def test_a_disk_that_fills_up_on_the_way_is_no_fault_of_the_image(tmp_path: Path) -> None:
    """The pool of commands makes the server's fault of it: see its own test."""
    with small_disk(tmp_path / "disk", 8) as disk:
        shelf, content = Shelf(disk), os.urandom(4 * MIB)

        def read(*_: object) -> Iterator[bytes]:
            yield content[:MIB]
            fill(disk, leave=MIB)
            yield content[MIB:]

        image = shelf.put(content, "raw")
        shelf.source.read = read  # type: ignore[method-assign]
        with pytest.raises(OSError, match="No space left on device"):
            shelf.cache.fetch(image)
        assert shelf.cache.parts() == []
        (disk / "filler").unlink()


def test_qemu_img_on_a_full_disk_says_what_every_program_says(tmp_path: Path) -> None:
    source = tmp_path / "made.qcow2"
    source.write_bytes(qcow2(tmp_path))
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 4M", str(source)], check=True, capture_output=True)
    with small_disk(tmp_path / "disk", 8) as disk:
        fill(disk, leave=MIB)
        with pytest.raises(OSError, match="No space left on device"):
            qemu_img.convert_to_raw(source, disk / "flat")


def test_a_disk_without_room_refuses_before_a_byte_is_read(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8) as disk:
        shelf = Shelf(disk)
        fill(disk, leave=MIB)
        with pytest.raises(HostFailure, match="The host's disk has 1 MiB free") as refused:
            shelf.cache.fetch(shelf.put(os.urandom(4 * MIB), "raw"))
        assert (refused.value.fault.code, refused.value.fault.elsewhere) == (507, True)
