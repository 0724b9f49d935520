"""The config drive, read back with Joliet, Rock Ridge and plain names."""

from __future__ import annotations

import subprocess
from io import BytesIO
from pathlib import Path

import pytest
from pycdlib import PyCdlib

from kilonova.agent.guestdata.configdrive import config_drive

TREE = {
    "ec2/latest/meta-data.json": b"{}",
    "openstack/2012-08-10/meta_data.json": b'{"uuid": "1"}',
    "openstack/latest/meta_data.json": b'{"uuid": "2"}',
    "openstack/latest/vendor_data2.json": b"",
    "openstack/content/0000": bytes(range(256)) * 100,
}


@pytest.fixture
def disc() -> PyCdlib:
    disc = PyCdlib()
    disc.open_fp(BytesIO(config_drive(TREE)))
    return disc


@pytest.mark.parametrize("names", ["rr_path", "joliet_path"])
def test_every_file_is_there_by_its_name(disc: PyCdlib, names: str) -> None:
    for path, content in TREE.items():
        read = BytesIO()
        disc.get_file_from_iso_fp(read, **{names: f"/{path}"})
        assert read.getvalue() == content


def test_the_label_is_the_one_guests_look_for(tmp_path: Path) -> None:
    path = tmp_path / "config.iso"
    path.write_bytes(config_drive(TREE))
    told = subprocess.run(["blkid", "-o", "export", str(path)], check=True, capture_output=True, text=True).stdout
    assert "LABEL=config-2" in told
    assert "TYPE=iso9660" in told
