"""What a host keeps is closed to others of its machine, whatever the umask and whatever was there before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova.agent.hypervisor.libvirt.layout import Layout
from kilonova.agent.hypervisor.libvirt.records import ServerRecord, ServerRecords
from kilonova.agent.images.cache import ImageCache
from kilonova.domain.clock import SystemClock
from kilonova.domain.machine import ImageRef
from kilonova.private import close_to_others, ensure_folder
from tests.fakes.host import ImageShelf
from tests.privacy import open_to_others
from tests.unit.agent.hypervisor.libvirt.machines import SERVER, machine


@pytest.fixture(params=[0o000, 0o022, 0o027, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_a_host_s_folders_are_the_same_under_every_umask(umask: int, tmp_path: Path) -> None:
    data_dir = tmp_path / "hosts" / "here"
    kept = ServerRecords(Layout(data_dir), group=os.getegid())
    kept.open()
    kept.write(ServerRecord(spec=machine()))
    cache = ImageCache(data_dir / "images", ImageShelf({"img": bytes(1024)}), SystemClock(), group=os.getegid())
    base = cache.fetch(ImageRef(id="img", disk_format="raw", size=1024, sha512=None))
    assert open_to_others(data_dir) == []
    modes = {path: path.stat().st_mode & 0o777 for path in (data_dir.parent, data_dir, data_dir / "instances" / SERVER)}
    # QEMU passes through each, by its group; the folder above may be anybody's way.
    assert list(modes.values()) == [0o711, 0o710, 0o710]
    assert base.path.stat().st_mode & 0o777 == 0o640


def test_what_was_open_is_closed_and_the_way_stays(tmp_path: Path) -> None:
    folder, file = tmp_path / "open", tmp_path / "open" / "file"
    folder.mkdir()
    file.touch()
    folder.chmod(0o755)
    file.chmod(0o666)
    (tmp_path / "link").symlink_to(file)
    close_to_others(tmp_path.iterdir())
    close_to_others(folder.iterdir())
    assert folder.stat().st_mode & 0o777 == 0o751
    assert file.stat().st_mode & 0o777 == 0o660


def test_a_folder_without_a_group_is_its_owner_s_alone(umask: int, tmp_path: Path) -> None:
    ensure_folder(tmp_path / "one")
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o700


def test_images_that_were_open_are_closed_when_the_cache_opens(tmp_path: Path) -> None:
    shelf = ImageShelf({"img": bytes(1024)})
    image = ImageRef(id="img", disk_format="raw", size=1024, sha512=None)
    base = ImageCache(tmp_path / "cache", shelf, SystemClock()).fetch(image)
    (tmp_path / "cache").chmod(0o755)
    for path in (tmp_path / "cache").iterdir():
        path.chmod(0o644)
    again = ImageCache(tmp_path / "cache", shelf, SystemClock()).fetch(image)
    assert again == base
    (tmp_path / "cache").chmod(0o711)  # so that the files speak for themselves
    assert open_to_others(tmp_path / "cache") == []
