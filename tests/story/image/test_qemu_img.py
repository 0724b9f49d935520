"""Images as the real qemu-img makes them: what is sound goes in whatever its options, what is not stays out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.imageparts import BASE, queued, sent

pytestmark = pytest.mark.skipif(
    not shutil.which("qemu-img"), reason="qemu-img is not installed: apt-get install qemu-utils"
)
SIZE = 3_000_000


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A disk that is not a whole number of clusters, with a hole in it."""
    path = tmp_path / "flat"
    path.write_bytes(bytes(range(256)) * 2000 + bytes(1_000_000) + b"end" * 100_000)
    with path.open("r+b") as file:
        file.truncate(SIZE - SIZE % 512)
    return path


def qemu_img(*words: str | Path) -> None:
    subprocess.run(["qemu-img", *words], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["-c"],
        ["-c", "-o", "compression_type=zstd"],
        ["-o", "compat=0.10"],
        ["-o", "cluster_size=512"],
        ["-c", "-o", "cluster_size=512"],
        ["-o", "cluster_size=2M"],
        ["-c", "-o", "cluster_size=2M"],
        ["-o", "lazy_refcounts=on"],
        ["-o", "preallocation=metadata"],
        ["-o", "preallocation=full"],
        ["-o", "refcount_bits=64"],
    ],
    ids=" ".join,
)
def test_a_sound_qcow2_goes_in(mine: TestClient, flat: Path, tmp_path: Path, options: list[str]) -> None:
    made = tmp_path / "made"
    qemu_img("convert", "-f", "raw", "-O", "qcow2", *options, flat, made)
    ident = queued(mine, "qcow2")
    reply = sent(mine, ident, made.read_bytes())
    assert reply.status_code == 204, reply.text
    assert mine.get(f"{BASE}/{ident}").json()["virtual_size"] == flat.stat().st_size


def test_an_empty_qcow2_and_one_with_a_snapshot_go_in(mine: TestClient, tmp_path: Path) -> None:
    made = tmp_path / "made"
    qemu_img("create", "-f", "qcow2", made, "10G")
    assert sent(mine, queued(mine, "qcow2"), made.read_bytes()).status_code == 204
    qemu_img("snapshot", "-c", "inside", made)
    assert sent(mine, queued(mine, "qcow2"), made.read_bytes()).status_code == 204


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-b", "flat", "-F", "raw"], "backing_file"),
        (["-b", "/etc/passwd", "-F", "raw"], "backing_file"),
        (["-o", "data_file=elsewhere,data_file_raw=on", "made", "1M"], "data_file"),
        (["-o", "extended_l2=on", "made", "1M"], "unknown_features"),
        (["made", "1025G"], "over the limit of"),
    ],
    ids=lambda given: given if isinstance(given, str) else " ".join(given),
)
def test_a_qcow2_that_is_not_stays_out(
    mine: TestClient, flat: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    words = [*options, "made"] if "made" not in options else options
    subprocess.run(
        ["qemu-img", "create", "-f", "qcow2", *words], cwd=tmp_path, check=True, capture_output=True, timeout=60
    )
    _stays_out(mine, "qcow2", (tmp_path / "made").read_bytes(), told)


@pytest.mark.parametrize("declared", ["raw", "aki", "qcow2", "iso"])
@pytest.mark.parametrize("really", ["vmdk", "vdi", "vpc", "vhdx", "qed"])
def test_other_formats_stay_out_under_any_name(
    mine: TestClient, flat: Path, tmp_path: Path, really: str, declared: str
) -> None:
    made = tmp_path / "made"
    qemu_img("convert", "-f", "raw", "-O", really, flat, made)
    _stays_out(mine, declared, made.read_bytes(), f"declared as {declared}")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_truncated_qcow2_stays_out(mine: TestClient, tmp_path: Path, flat: Path, share: float) -> None:
    made = tmp_path / "made"
    qemu_img("convert", "-f", "raw", "-O", "qcow2", flat, made)
    whole = made.read_bytes()
    _stays_out(mine, "qcow2", whole[: int(len(whole) * share)], "truncated")


def _stays_out(mine: TestClient, declared: str, content: bytes, told: str) -> None:
    """That nothing is left of it is held by the service's fixture."""
    ident = queued(mine, declared)
    reply = sent(mine, ident, content)
    assert (reply.status_code, told in reply.json()["error"]["message"]) == (400, True), reply.text
    assert mine.get(f"{BASE}/{ident}").json()["status"] == "queued"
